"""Shelves that are not folders of this machine: stores, downloads, the cache, and publishing to them."""
