"""The runtime: accepting messages, handing them to agents, settling them."""
