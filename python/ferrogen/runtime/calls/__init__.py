"""Calls on top of messages: typed requests, streams, requests to all subscribers, steering."""
