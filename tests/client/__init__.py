"""The client: what it sends, what it makes of answers, and how it gets on with servers that misbehave."""
