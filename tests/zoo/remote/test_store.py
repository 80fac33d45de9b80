"""Addresses of stores, and what is decided before any of them is asked."""

from __future__ import annotations

import io
import urllib.request
from http.client import HTTPMessage
from pathlib import Path

import pytest

from automl_cells.errors import ZooError
from automl_cells.zoo import RemoteShelf, Shelf, open_shelf
from automl_cells.zoo.remote import store
from automl_cells.zoo.remote.cache import cache_folder, offline, store_folder
from automl_cells.zoo.remote.http_store import HttpStore, _Redirects
from automl_cells.zoo.remote.store import Patience, UnreachableError, patiently


def test_folders_are_shelves_and_schemes_are_stores(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOML_CELLS_CACHE", str(tmp_path / "cache"))
    for address in (tmp_path, str(tmp_path), tmp_path.as_uri(), f"{tmp_path.as_uri()}/", f"local://{tmp_path}"):
        shelf = open_shelf(address)
        assert isinstance(shelf, Shelf)
        assert shelf.folder == tmp_path
        assert shelf.place == str(tmp_path)
    assert open_shelf("~/shelf").folder == Path.home() / "shelf"
    assert open_shelf((tmp_path / "a b").as_uri()).folder == tmp_path / "a b"
    for address in ("https://example.org/zoo/", "s3://bucket/zoo", "memory://zoo"):
        shelf = open_shelf(address)
        assert isinstance(shelf, RemoteShelf)
        assert shelf.place == address.rstrip("/")
        assert shelf.folder.parent == tmp_path / "cache"
    assert not (tmp_path / "cache").exists()  # nothing is written before something is read


@pytest.mark.parametrize(
    "address", ["nope://x", "s3://", "://x", "S3://bucket", "simplecache::s3://bucket", "file://a/b"]
)
def test_other_addresses_are_refused(address):
    with pytest.raises(ZooError, match=r"Expected .*Received: "):
        open_shelf(address)


@pytest.mark.parametrize(
    "address", ["https://", "https://me:secret@host/zoo", "https://host/zoo?a=b", "https://host/#x"]
)
def test_web_addresses_that_cannot_be_joined_with_a_path(address):
    with pytest.raises(ZooError) as caught:
        HttpStore(address, Patience())
    assert "secret" not in str(caught.value)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(store, "find_spec", lambda module: None)
    for scheme, package in (("s3", "s3fs"), ("gs", "gcsfs"), ("hf", "huggingface_hub")):
        with pytest.raises(ZooError, match=rf"pip install {package}\)"):
            open_shelf(f"{scheme}://bucket/zoo")
    monkeypatch.setenv("AUTOML_CELLS_OFFLINE", "1")
    assert open_shelf("gs://bucket/zoo").place == "gs://bucket/zoo"  # the cache needs none


def test_packages_of_rarer_schemes_are_named_by_fsspec():
    with pytest.raises(ZooError, match=r"Expected the package for addresses adl://.*Received: 'adl://x'"):
        open_shelf("adl://x")


def test_the_cache_has_a_folder_for_each_store(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOML_CELLS_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    first, second = store_folder("s3://bucket/zoo"), store_folder("s3://bucket-zoo")
    assert first.name.startswith("s3-bucket-zoo-")
    assert first != second
    assert first.parent == second.parent == tmp_path
    monkeypatch.delenv("AUTOML_CELLS_CACHE")
    assert "automl_cells" in cache_folder().parts


@pytest.mark.parametrize(("value", "meant"), [("1", True), ("true", True), ("", False), ("0", False), ("No", False)])
def test_offline_is_a_word(monkeypatch, value, meant):
    monkeypatch.setenv("AUTOML_CELLS_OFFLINE", value)
    assert offline() is meant


def test_waits_grow_and_end(monkeypatch):
    waits = []
    monkeypatch.setattr(store.time, "sleep", waits.append)

    def fails():
        raise UnreachableError("no")

    with pytest.raises(UnreachableError):
        patiently(fails, Patience(attempts=4, backoff=0.5))
    assert waits == [0.5, 1.0, 2.0]


def test_a_redirect_cannot_leave_encryption():
    request = urllib.request.Request("https://host/index.json", headers={"Range": "bytes=5-"})
    arguments = (request, io.BytesIO(), 302, "Found", HTTPMessage())
    with pytest.raises(ZooError, match="a redirect to http://host/"):
        _Redirects().redirect_request(*arguments, "http://host/index.json")
    moved = _Redirects().redirect_request(*arguments, "https://other/index.json")
    assert moved.full_url == "https://other/index.json"
    assert moved.get_header("Range") == "bytes=5-"
