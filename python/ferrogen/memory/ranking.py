"""Ranking: fusion of ranks, recency, importance and diversity."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ferrogen.memory.search import SearchOptions


@dataclass
class Candidate:
    """A row that may be found.

    Args:
        row: Its number.
        parts: The parts of its score.
        score: Its score.
    """

    row: int
    parts: dict[str, float] = field(default_factory=dict)
    score: float = 0.0


def fused(
    rankings: Mapping[str, Sequence[tuple[int, float]]], options: SearchOptions
) -> list[Candidate]:
    """Merge rankings by reciprocal rank fusion; a single one keeps its scores.

    The score of a row that is the first one in each ranking is 1.

    Args:
        rankings: Rows and scores, the best first, by ``"text"`` and ``"vector"``.
        options: The constant and the weights.
    """
    found: dict[int, Candidate] = {}
    weights = {"text": options.text_weight, "vector": options.vector_weight}
    for name, ranking in rankings.items():
        for rank, (row, score) in enumerate(ranking, start=1):
            candidate = found.setdefault(row, Candidate(row))
            candidate.parts[name] = score
            if len(rankings) == 1:
                candidate.score = score
                continue
            candidate.parts[f"{name}_rank"] = rank
            candidate.score += weights[name] / (options.rrf_constant + rank)
    if len(rankings) > 1:
        best = sum(weights[name] for name in rankings) / (options.rrf_constant + 1)
        for candidate in found.values():
            candidate.score /= best
            candidate.parts["fusion"] = candidate.score
    return in_order(found.values())


def weighted(
    candidates: Sequence[Candidate],
    options: SearchOptions,
    facts: Mapping[int, tuple[float, float]],
    now: float,
) -> list[Candidate]:
    """Multiply parts of the scores by recency and importance.

    Args:
        candidates: The items found.
        options: The half-life and the weights.
        facts: The time of creation and the importance of each row.
        now: The present.
    """
    half_life = options.half_life_seconds
    for candidate in candidates:
        created, importance = facts[candidate.row]
        if half_life is not None and options.recency_weight:
            recency = 0.5 ** (max(0.0, now - created) / half_life)
            candidate.parts["recency"] = recency
            _scale(candidate, options.recency_weight, recency)
        if options.importance_weight:
            candidate.parts["importance"] = importance
            _scale(candidate, options.importance_weight, importance)
    return in_order(candidates)


def _scale(candidate: Candidate, weight: float, factor: float) -> None:
    # A negative score gets worse by a small factor, too.
    scale = 1 - weight + weight * factor
    candidate.score = (
        candidate.score * scale if candidate.score >= 0 else candidate.score / max(scale, 1e-9)
    )


def diversified(
    candidates: Sequence[Candidate],
    trade_off: float,
    limit: int,
    similarity: Callable[[int, int], float],
) -> list[Candidate]:
    """Choose candidates by maximal marginal relevance.

    Args:
        candidates: The items found, the best first.
        trade_off: From 0 (diversity only) to 1 (relevance only).
        limit: How many to choose.
        similarity: The cosine of the vectors of two rows.
    """
    rest, chosen = list(candidates), list[Candidate]()
    if not rest:
        return []
    best, worst = rest[0].score, min(each.score for each in rest)
    spread = (best - worst) or 1.0
    nearest = dict.fromkeys((each.row for each in rest), 0.0)
    while rest and len(chosen) < limit:
        marginal = {
            each.row: trade_off * (each.score - worst) / spread
            - (1 - trade_off) * nearest[each.row]
            for each in rest
        }
        top = max(rest, key=lambda each: marginal[each.row])
        top.parts["mmr"] = marginal[top.row]
        rest.remove(top)
        chosen.append(top)
        for each in rest:
            nearest[each.row] = max(nearest[each.row], similarity(each.row, top.row))
    return chosen


def in_order(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Return candidates by their scores; of equal ones the newest row first."""
    return sorted(candidates, key=lambda each: (-each.score, -each.row))
