"""How the outside comes in: settings, container, RPC, command line, client."""
