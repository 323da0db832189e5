"""Messages on their way: topics, subscriptions, contexts, cancellation, interventions."""
