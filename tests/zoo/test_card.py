import json

import pytest

from automl_cells.zoo import Address, Entry
from automl_cells.zoo.card import card
from automl_cells.zoo.manifest import FileRecord

FILES = {"model.weights.h5": FileRecord(sha256="ab" * 32, bytes=12345)}


def front_matter(text):
    """The YAML in front, whose values are JSON."""
    _, yaml, _ = text.split("---\n", 2)
    return {key: json.loads(value) for key, _, value in (line.partition(": ") for line in yaml.splitlines())}


@pytest.fixture(scope="module")
def text(run):
    return card(Entry.read(run / "entry"), Address("tiny_blocks", "digits", 4), FILES)


def test_the_front_matter_is_what_hugging_face_reads(text):
    assert text.startswith("---\n")
    fields = front_matter(text)
    assert fields["library_name"] == "keras"
    assert fields["pipeline_tag"] == "image-classification"
    assert fields["datasets"] == ["digits"]
    assert fields["metrics"] == ["accuracy"]
    (model,) = fields["model-index"]
    assert model["name"] == "tiny_blocks/digits-v4"
    assert model["results"] == [
        {
            "task": {"type": "image-classification"},
            "dataset": {"name": "digits", "type": "digits"},
            "metrics": [{"type": "accuracy", "name": "accuracy on the test images", "value": 0.9125}],
        }
    ]


def test_the_card_says_what_was_measured(text, tiny):
    for statement in (
        "# tiny_blocks/digits-v4",
        "Block-QNN-B, tiny",
        "test accuracy | 91.25 %",
        f"trainable parameters | {tiny.cost().parameters:,} |",
        f"`{tiny.load_genotype().hash}`",
        "(drawing.svg)",
        "images trained on: 1,212; images tested on, once, at the end: 450",
        "epochs: 40, weights kept of epoch 33",
        'space: blockqnn, options {"layers": 5}',
        "strategy: q_learning\n",
        "candidates: 24; this one was trial 17",
        "reward of this block: 93.25 (blockqnn_early_stop)",
        "time of all candidates together: 81 s",
        f"| model.weights.h5 | 12,345 | `{'ab' * 32}` |",
        'tiny_blocks(weights="digits-v4", classes=10)',
        "## Limits",
    ):
        assert statement in text


def test_what_is_not_known_is_said_to_be_not_known(entry_copy):
    (entry_copy / "metrics.json").write_text("{}")
    document = json.loads((entry_copy / "genotype.json").read_text())
    document["provenance"] = {}
    (entry_copy / "genotype.json").write_text(json.dumps(document))
    text = card(Entry.read(entry_copy), Address("mine", "digits", 1), FILES)
    assert "model-index" not in front_matter(text)
    assert "test accuracy | not known" in text
    assert "space: not known" in text
    assert "candidates: not known" in text
    assert "automl_cells.zoo import mine" not in text  # no constructor of that name


def test_a_genotype_from_a_paper_names_it(entry_copy):
    document = json.loads((entry_copy / "genotype.json").read_text())
    document["provenance"] = {"source": "Zhong et al., figure 8"}
    (entry_copy / "genotype.json").write_text(json.dumps(document))
    text = card(Entry.read(entry_copy), Address("tiny_blocks", "digits", 1), FILES)
    assert "was not searched for here. Source: Zhong et al., figure 8." in text


def test_words_from_files_cannot_change_the_layout(entry_copy):
    path = entry_copy / "model.json"
    document = json.loads(path.read_text())
    document["dataset"]["name"] = "digits\n---\n# <script>|`x`"
    path.write_text(json.dumps(document))
    text = card(Entry.read(entry_copy), Address("tiny_blocks", "digits", 1), FILES)
    assert front_matter(text)["datasets"] == ["digits --- # script x"]
    assert "<script>" not in text


def test_a_fine_tuned_entry_says_from_what(entry_copy):
    document = json.loads((entry_copy / "genotype.json").read_text())
    document["provenance"]["finetuned_from"] = {"entry": "big/photos-v2", "weights_sha256": "cd" * 32}
    (entry_copy / "genotype.json").write_text(json.dumps(document))
    text = card(Entry.read(entry_copy), Address("mine", "digits", 1), FILES)
    assert f"- fine-tuned from: big/photos-v2, weights `{'cd' * 32}`\n- recipe: plain" in text
