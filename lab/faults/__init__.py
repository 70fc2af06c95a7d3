"""What can be broken on purpose, by mechanism: processes, the network, the broker."""
