import io

from rich.console import Console

from automl_cells.training.progress import ShowProgress


def shown(terminal, epochs=60, done=0, what="training"):
    stream = io.StringIO()
    progress = ShowProgress(Console(file=stream, force_terminal=terminal, width=200), what)
    progress.begin(epochs, 3, done)
    for epoch in range(done, epochs):
        for step in range(3):
            progress.step(3 * epoch + step + 1)
        progress.epoch(epoch + 1, {"loss": 0.5, "val_accuracy": 0.9})
    progress.close()
    return stream.getvalue()


def test_a_file_gets_few_plain_lines_the_last_epoch_among_them():
    lines = shown(terminal=False).splitlines()
    assert 10 <= len(lines) <= 12
    assert lines[0].startswith("epoch 1/60  loss 0.500  validation accuracy 90.00 %")
    assert lines[-1].startswith("epoch 60/60")
    assert lines[-1].endswith("0 s left")


def test_a_part_of_a_training_says_which():
    assert shown(terminal=False, epochs=1, what="head").startswith("head: epoch 1/1")


def test_a_terminal_gets_a_bar_that_starts_where_the_training_does():
    text = shown(terminal=True, epochs=4, done=2)
    for word in ("100%", "epoch 4/4", "left"):
        assert word in text
