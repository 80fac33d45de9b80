"""The page in a real browser: a picture and a drawing in, classes out, nothing to anywhere else."""

import io

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return {"name": "picture.png", "mimeType": "image/png", "buffer": file.getvalue()}


def opened(page, site, name):
    page.goto(f"{site}?model=models/{name}/model.onnx")
    page.wait_for_selector("body[data-state=ready]")
    return page


def shown(page):
    """The classes on the page with their probabilities."""
    page.wait_for_selector("body[data-state=classified]")
    items = page.locator("#classes li").all()
    return {item.get_attribute("data-label"): float(item.get_attribute("data-probability")) for item in items}


def stroke(page, *points):
    """Draw with the mouse; points as fractions of the pad."""
    box = page.locator("#pad").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=12)
    page.mouse.up()


@pytest.mark.parametrize(("name", "size"), [("mnist", (28, 28)), ("cifar", (32, 32, 3))])
def test_a_picture_gets_the_probabilities_that_onnxruntime_gives_in_python(page, site, models, classify, name, size):
    pixels = np.random.default_rng(3).integers(0, 256, size, np.uint8)
    opened(page, site, name).set_input_files("#picture-file", png(pixels))
    found = shown(page)
    model = classify.load_model(models / name / "model.onnx")
    expected = classify.classify(model, pixels.reshape(1, *size[:2], -1))[0]
    assert len(found) == 5
    assert list(found) == [model.labels[index] for index in np.argsort(-expected)[:5]]
    for label, probability in found.items():
        assert probability == pytest.approx(expected[model.labels.index(label)], abs=1e-3)


def test_a_drawn_one_and_a_drawn_seven_are_told_apart(page, site):
    opened(page, site, "mnist")
    stroke(page, (0.5, 0.2), (0.5, 0.8))
    assert max(shown(page).items(), key=lambda item: item[1])[0] == "1"
    page.click("#clear")
    page.wait_for_selector("body[data-state=ready]")
    stroke(page, (0.25, 0.2), (0.75, 0.2), (0.45, 0.85))
    assert max(shown(page).items(), key=lambda item: item[1])[0] == "7"


def test_the_page_says_what_the_model_is(page, site):
    opened(page, site, "mnist")
    facts = page.locator("#facts").inner_text()
    for words in ("blockqnn_mnist", "mnist-v", "28 × 28, grey", "Differs from Keras by"):
        assert words in facts
    assert page.locator("#models option").count() == 2


def test_a_file_that_is_no_model_is_one_clear_message(page, site):
    opened(page, site, "mnist")
    page.set_input_files("#model-file", {"name": "cat.onnx", "mimeType": "", "buffer": b"no protobuf"})
    alert = page.locator("#alert")
    alert.wait_for(state="visible")
    assert alert.inner_text().startswith("Expected ")
    assert "Received: " in alert.inner_text()


def test_a_picture_that_is_none_is_one_clear_message(page, site):
    opened(page, site, "mnist")
    page.set_input_files("#picture-file", {"name": "cat.png", "mimeType": "image/png", "buffer": b"no picture"})
    alert = page.locator("#alert")
    alert.wait_for(state="visible")
    assert "Expected " in alert.inner_text()


def test_an_address_elsewhere_is_refused_without_a_request(page, site):
    page.goto(f"{site}?model=http://127.0.0.2:9/model.onnx")
    alert = page.locator("#alert")
    alert.wait_for(state="visible")
    assert "on this server" in alert.inner_text()


def test_everything_can_be_reached_with_the_keyboard(page, site):
    opened(page, site, "mnist")
    reached = set()
    for _ in range(8):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id"))
    assert {"models", "model-file", "picture-file", "clear"} <= reached
