"""Publishing to RabbitMQ: the publisher, its connection, and the books of a batch."""
