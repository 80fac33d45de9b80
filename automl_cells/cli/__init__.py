"""The `automl-cells` command."""
