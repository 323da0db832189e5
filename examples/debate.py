"""A debate between agents: each reads its neighbors' opinions and revises; the majority decides.

    python examples/debate.py "What is 6 times 7?"           runs on AutoGen's own runtime
    ferrogen run examples/debate.py "What is 6 times 7?"     runs on Ferrogen: the same file

OPENAI_BASE_URL, OPENAI_API_KEY and MODEL say which language model the agents think with. The file
debate_model.py beside this one asks it, and shows on the screen what it says.
"""

import argparse
import asyncio
import os
import re
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from autogen_core import (
    AgentId,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
    event,
    rpc,
)

from debate_model import Model, ModelError, Replay, Screen

DEFAULT_QUESTIONS = ["What is 6 times 7?", "Is 91 a prime number?"]
YES_NO = re.compile(r"(is|are|was|were|do|does|did|can|has|have|will)\b", re.IGNORECASE)

# ---- What the agents say to one another ----------------------------------------------------------


@dataclass
class Question:
    text: str
    rounds: int


@dataclass
class Opinion:
    """The opinion that a solver publishes to its neighbors after every round but the last."""

    round: int
    words: str


@dataclass
class FinalAnswer:
    answer: str


@dataclass
class GaveUp:
    """The model failed for a solver. A message, so that the caller of the chair gets the reason."""

    reason: str


@dataclass
class Verdict:
    votes: dict[str, int]

    def __str__(self) -> str:
        voters, most = sum(self.votes.values()), max(self.votes.values())
        leaders = [answer for answer, count in self.votes.items() if count == most]
        if len(leaders) > 1:
            return f"undecided between {' and '.join(leaders)}, {most} of {voters} each"
        return f"{leaders[0]}, said by {most} of {voters}"


# ---- The agents ----------------------------------------------------------------------------------


class Solver(RoutedAgent):
    """Responds to the question, and again each time it has the opinions of all its neighbors."""

    def __init__(self, model: Model | Replay, delivered: Counter[str], neighbors: int) -> None:
        super().__init__("debates a question with its neighbors")
        self.model, self.delivered, self.neighbors = model, delivered, neighbors
        self.question: Question | None = None
        self.opinions: dict[int, list[str]] = defaultdict(list)  # by the round they come from
        self.round = 0
        self.thinking = False

    @event
    async def on_question(self, message: Question, ctx: MessageContext) -> None:
        self.delivered["Question"] += 1
        self.question = message
        await self.think_when_ready(message)

    @event
    async def on_opinion(self, message: Opinion, ctx: MessageContext) -> None:
        self.delivered["Opinion"] += 1
        self.opinions[message.round].append(message.words)
        if self.question is not None:
            await self.think_when_ready(self.question)

    async def think_when_ready(self, question: Question) -> None:
        # Opinions arrive while the model is at work, so a handler that finds this solver thinking
        # leaves, and the one that is thinking looks again when it is done.
        while not self.thinking and self.round < question.rounds and self.has_all_opinions():
            self.thinking = True
            try:
                words = await self.model.ask(self.id, self.round + 1, self.prompt(question))
            except ModelError as error:
                await self.publish_message(GaveUp(str(error)), TopicId("outcome", self.id.key))
                return
            self.thinking = False
            self.round += 1
            if self.round < question.rounds:
                said = Opinion(self.round, words)
                await self.publish_message(said, TopicId(f"said-by-{self.id.type}", self.id.key))
            else:
                final = FinalAnswer(short_answer(question.text, words))
                await self.publish_message(final, TopicId("outcome", self.id.key))

    def has_all_opinions(self) -> bool:
        return self.round == 0 or len(self.opinions[self.round]) == self.neighbors

    def prompt(self, question: Question) -> str:
        opinions = [f"Someone answers: {words}" for words in self.opinions[self.round]]
        return "\n".join([*opinions, question.text])


class Chair(RoutedAgent):
    """Puts the question to the solvers, collects their final answers, counts the votes."""

    def __init__(self, delivered: Counter[str], solvers: int) -> None:
        super().__init__("counts the votes")
        self.delivered, self.solvers = delivered, solvers
        self.votes: Counter[str] = Counter()
        self.outcome: asyncio.Future[Verdict | GaveUp] = asyncio.get_running_loop().create_future()

    @rpc
    async def on_question(self, message: Question, ctx: MessageContext) -> Verdict | GaveUp:
        self.delivered["Question"] += 1
        await self.publish_message(message, TopicId("question", self.id.key))
        return await self.outcome

    @event
    async def on_final_answer(self, message: FinalAnswer, ctx: MessageContext) -> None:
        self.delivered["FinalAnswer"] += 1
        self.votes[message.answer] += 1
        if self.votes.total() == self.solvers and not self.outcome.done():
            self.outcome.set_result(Verdict(dict(self.votes)))

    @event
    async def on_gave_up(self, message: GaveUp, ctx: MessageContext) -> None:
        self.delivered["GaveUp"] += 1
        if not self.outcome.done():
            self.outcome.set_result(message)


async def register(
    runtime: SingleThreadedAgentRuntime, model: Model | Replay, solvers: int
) -> Counter[str]:
    """Registers the agents and their subscriptions; returns the count of messages delivered."""
    # Counted by the handlers: an intervention handler that counts would cost the runtime time of
    # its own, and it sees a published message once, however many agents that goes to.
    delivered: Counter[str] = Counter()
    names = [f"solver-{number}" for number in range(1, solvers + 1)]
    for place, name in enumerate(names):
        # They form a ring: each is subscribed to the solver before it and the one after it.
        neighbors = {names[place - 1], names[(place + 1) % solvers]} - {name}
        await Solver.register(runtime, name, partial(Solver, model, delivered, len(neighbors)))
        await runtime.add_subscription(TypeSubscription("question", name))
        for neighbor in neighbors:
            await runtime.add_subscription(TypeSubscription(f"said-by-{neighbor}", name))
    await Chair.register(runtime, "chair", partial(Chair, delivered, solvers))
    await runtime.add_subscription(TypeSubscription("outcome", "chair"))
    return delivered


def short_answer(question: str, words: str) -> str:
    """Reduces a reply to what can be counted: yes or no, else a number, else the text."""
    if YES_NO.match(question):
        if found := re.search(r"\b(yes|no|not)\b", words.lower()):
            return "yes" if found[0] == "yes" else "no"
    else:
        # The last number of the first sentence that has one: small models ramble on.
        for sentence in re.split(r"(?<=[.?!])\s+", words):
            if numbers := re.findall(r"-?\d+(?:\.\d+)?", sentence.replace(",", "")):
                return str(numbers[-1])
    return " ".join(re.findall(r"\w+", words.lower()))[:40] or "nothing"


# ---- The debate ----------------------------------------------------------------------------------


async def debate(
    arguments: argparse.Namespace, model: Model | Replay, report: Callable[[str], None]
) -> tuple[int, float]:
    """Debates all questions; returns how many messages were delivered, and in how many seconds."""
    runtime = SingleThreadedAgentRuntime()
    delivered = await register(runtime, model, arguments.solvers)
    runtime.start()
    start = time.perf_counter()
    try:
        for number, text in enumerate(arguments.questions, start=1):
            report(f"\nQuestion {number}: {text}")
            # An agent is made when the first message to its type and key arrives: a new key gives
            # each question a chair and solvers that know nothing of the question before.
            chair = AgentId("chair", f"question-{number}")
            outcome = await runtime.send_message(Question(text, arguments.rounds), chair)
            if isinstance(outcome, GaveUp):
                raise ModelError(outcome.reason)
            report(f"Verdict: {outcome}")
    finally:
        model.close()
        await runtime.stop_when_idle()
    return delivered.total(), time.perf_counter() - start


async def show(arguments: argparse.Namespace) -> None:
    """Holds the debate on the screen, replays it in silence, and prints what each took."""
    # Ctrl+C cancels the debate alone, so that the agents still get the error of the closed model.
    if task := asyncio.current_task():
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, task.cancel)
    screen = Screen(len(arguments.questions) * arguments.solvers * arguments.rounds)
    model = Model(screen, arguments.max_tokens)
    messages, wall_time = await debate(arguments, model, screen.line)
    _, runtime_time = await debate(arguments, Replay(model.said), lambda _: None)
    screen.line(
        f"""
runtime               {SingleThreadedAgentRuntime.__module__.partition(".")[0]}
messages delivered    {messages}
wall time             {wall_time:.2f} s
model time            {model.busy:.2f} s with at least one model call in progress
runtime time          {runtime_time * 1e3:.2f} ms for the same messages, without the model
runtime per message   {runtime_time / messages * 1e6:.0f} microseconds"""
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Agents debate questions; the majority decides.")
    parser.add_argument("questions", nargs="*", type=str.strip, metavar="QUESTION")
    parser.add_argument("--solvers", type=positive, default=4, metavar="N")
    parser.add_argument("--rounds", type=positive, default=3, metavar="N")
    parser.add_argument("--max-tokens", type=positive, default=60, metavar="N")
    arguments = parser.parse_args()
    arguments.questions = [*filter(None, arguments.questions)] or DEFAULT_QUESTIONS
    if not (os.environ.get("OPENAI_BASE_URL") or os.environ.get("OPENAI_API_KEY")):
        parser.error("set OPENAI_API_KEY, or OPENAI_BASE_URL for a model of your own")
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # a model may say anything
    clear = "\r\033[K" if sys.stderr.isatty() else ""
    try:
        asyncio.run(show(arguments))
    except ModelError as error:
        sys.exit(f"{clear}debate: {error}")
    except (KeyboardInterrupt, asyncio.CancelledError):
        print(f"{clear}debate: interrupted", file=sys.stderr)
        sys.exit(130)


def positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError(text)
    return number


if __name__ == "__main__":
    main()
