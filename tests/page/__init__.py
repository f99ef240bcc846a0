"""The page, over fakes and in a browser."""
