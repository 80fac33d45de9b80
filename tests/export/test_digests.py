import hashlib

from automl_cells.export import sha256_of_file, sha256_of_folder
from automl_cells.export.digests import files_below, size_of


def test_the_digest_of_a_file_is_that_of_its_bytes(tmp_path):
    content = bytes(range(256)) * 5000  # more than one piece
    (tmp_path / "file").write_bytes(content)
    assert sha256_of_file(tmp_path / "file") == hashlib.sha256(content).hexdigest()


def test_the_digest_of_a_folder_is_that_of_the_lines_of_sha256sum(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "one").write_bytes(b"1")
    (tmp_path / "a").write_bytes(b"")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    one = "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"
    expected = hashlib.sha256(f"{empty}  a\n{one}  b/one\n".encode()).hexdigest()
    assert sha256_of_folder(tmp_path) == expected
    assert size_of(tmp_path) == 1
    (tmp_path / "b" / "one").rename(tmp_path / "b" / "two")
    assert sha256_of_folder(tmp_path) != expected


def test_links_are_listed_and_not_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret").write_bytes(b"x")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    assert files_below(folder) == [folder / "link"]
