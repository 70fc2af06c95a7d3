"""Publishing to RabbitMQ: the publisher, its connection, and the state of a batch."""
