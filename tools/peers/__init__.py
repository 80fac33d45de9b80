"""The systems that ``tools/benchmark.py search-peers`` compares, each a script of its own: ``python -m peers.NAME``.

They run in different environments, with different versions of Keras, so only ``ours`` imports automl_cells; the others
share ``recorder``, which needs NumPy and nothing else.
"""
