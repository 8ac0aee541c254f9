"""Kafka: events out to a topic. Needs confluent-kafka, an extra: import it where it is used."""
