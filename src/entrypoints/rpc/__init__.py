"""The JSON-RPC over HTTP that the platform speaks, on Litestar."""
