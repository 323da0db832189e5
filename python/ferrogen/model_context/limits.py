"""What may limit a context: a number of messages or tokens that lets something through."""

from ferrogen.exceptions import ContextLimitError


def checked_limit(name: str, limit: int) -> int:
    """Return the limit.

    Args:
        name: The parameter that it was given as.
        limit: How much is sent at most.

    Raises:
        ContextLimitError: It is not above zero.
    """
    if limit <= 0:
        raise ContextLimitError(f"{name} must be greater than 0, not {limit}")
    return limit
