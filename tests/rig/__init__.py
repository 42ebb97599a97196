"""What the tests start: directories, Gatepost itself, and clients."""
