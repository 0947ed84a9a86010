"""The subjects of one partition number: who is enrolled, and who is to be looked at when."""

import heapq
import math
from collections.abc import Callable, Mapping
from functools import partial

import msgspec
from msgspec import Struct

from detectors.cohort import Cohort
from streams.config import PipelineConfig
from streams.detection import Detection
from streams.detection_state import DetectionState
from streams.events import Output
from streams.history import History, HistoryState
from streams.registry import Change, Registry
from streams.subject import SubjectState
from streams.subject_parts import SubjectDay, SubjectHead, Terms

Person = tuple[str, int]
"""A subject's id and the generation of the enrolment."""


_DETECTION = "detection"
_HISTORY = "history"
_decode_detection = msgspec.msgpack.Decoder(DetectionState).decode
_decode_history = msgspec.msgpack.Decoder(HistoryState).decode
_decode_day = msgspec.msgpack.Decoder(SubjectDay).decode


class PersonHead(Struct, array_like=True):
    """State of one enrolment but for models, alerts, history and days; instants in s UTC.

    ``withdrawn_s``: the tick that made a withdrawal visible which has not taken effect yet.
    """

    generation: int
    subject: SubjectHead
    next_wake_s: float | None
    withdrawn_s: float | None
    is_dirty: bool


class People:
    """Subjects by id and generation; each is brought up to date when the clock concerns it.

    Parameters
    ----------
    registry
        Who is enrolled; a settled row belongs to what it held at the row's due instant.
    config, cohort
        What every subject is told.
    partition, epoch
        Carried by what subjects say.
    """

    def __init__(
        self,
        registry: Registry,
        config: PipelineConfig,
        cohort: Cohort,
        *,
        partition: int,
        epoch: int,
    ) -> None:
        self._registry = registry
        self._config = config
        self._cohort = cohort
        self._partition = partition
        self._epoch = epoch
        self._states: dict[Person, SubjectState] = {}
        self._wakes: list[tuple[float, Person]] = []
        self._next_wake: dict[Person, float] = {}
        self._dirty: set[Person] = set()
        self._withdrawals: dict[Person, float] = {}
        self.before_change: Callable[[str], None] = lambda _: None
        self.on_fault: Callable[[str, Exception], None] = _raise

    def __getitem__(self, person: Person) -> SubjectState:
        """State of an enrolled subject, about to be changed."""
        self.before_change(person[0])
        return self._states[person]

    def enrol(self, change: Change, tick: float) -> None:
        """Let a change of the registry take effect, at the tick that made it visible."""
        enrolment = change.enrolment
        person = change.user_id, enrolment.generation
        self.before_change(change.user_id)
        if enrolment.is_withdrawn:
            if person in self._states:
                self._withdrawals.setdefault(person, tick)
            return
        state = self._states.get(person)
        if state is not None:
            state.change(enrolment)
            self._dirty.add(person)
            return
        detection = Detection(
            self._config.detection,
            self._cohort,
            self._config.projects,
            enrolment.subject.project_id,
        )
        self._states[person] = SubjectState(enrolment.subject, tick, detection, self._terms(person))
        self.wake(person, tick)

    def mark_dirty(self, person: Person) -> None:
        """Have a subject brought up to date when the clock moves next."""
        self._dirty.add(person)

    def wake(self, person: Person, instant: float) -> None:
        """See to it that a subject is brought up to date once the clock reaches ``instant``."""
        if instant < self._next_wake.get(person, math.inf):
            self._next_wake[person] = instant
            heapq.heappush(self._wakes, (instant, person))

    def advance(self, clock: float) -> list[Output]:
        """Bring everybody up to the minimum clock (s UTC) whom it concerns."""
        outputs = self._withdraw(clock)
        due = {person for person in self._dirty if person in self._states}
        for user_id, _ in self._dirty:
            self.before_change(user_id)
        self._dirty.clear()
        while self._wakes and self._wakes[0][0] <= clock:
            instant, person = heapq.heappop(self._wakes)
            if self._next_wake.get(person) == instant:
                due.add(person)
        for person in sorted(due):
            outputs += self._isolated(person, lambda state: state.advance(clock))
            state = self._states.get(person)
            if state is not None:
                self._next_wake.pop(person, None)
                self.wake(person, state.next_wake(clock))
        return outputs

    def _isolated(
        self, person: Person, step: Callable[[SubjectState], list[Output]]
    ) -> list[Output]:
        """Take a step with one subject; a fault in it stays with that subject."""
        if person not in self._states:
            return []  # a fault in another enrolment of the same subject has quarantined both
        state = self[person]
        try:
            return step(state)
        except Exception as error:  # whatever the fault is, it is this subject's alone
            self.on_fault(person[0], error)
            return []

    def drop(self, user_id: str) -> None:
        """Forget every enrolment of a subject."""
        for generation in self._of_user(user_id):
            self._forget((user_id, generation))

    def _forget(self, person: Person) -> None:
        self._states.pop(person, None)
        self._next_wake.pop(person, None)
        self._withdrawals.pop(person, None)
        self._dirty.discard(person)

    def look(self, user_id: str) -> tuple[list[PersonHead], dict[str, int], Callable[[str], bytes]]:
        """A subject as it is: every enrolment, part -> sign, and what encodes a part."""
        states = self._of_user(user_id)
        heads = [
            PersonHead(
                generation,
                state.head(),
                self._next_wake.get((user_id, generation)),
                self._withdrawals.get((user_id, generation)),
                (user_id, generation) in self._dirty,
            )
            for generation, state in states.items()
        ]
        signs = {}
        for generation, state in states.items():
            signs[f"{generation}-{_DETECTION}"] = state.detection.changes
            if not state.history.is_empty:
                signs[f"{generation}-{_HISTORY}"] = state.history.sign
            for day in sorted(state.days()):
                signs[f"{generation}-{day}"] = state.sign_of(day)
        return heads, signs, lambda part: _encode_part(states, part)

    def restore(self, user_id: str, heads: list[PersonHead], parts: Mapping[str, bytes]) -> None:
        """Take in the enrolments of a subject as they were.

        Raises
        ------
        ValueError
            When a part is missing, or is not what it should be.
        """
        for head in heads:
            held = self._registry.before(user_id, math.inf, head.generation)
            if held is not None and held.subject == head.subject.current:
                # What the registry says of somebody is kept once, as it was before.
                head.subject.current = held.subject
            prefix = f"{head.generation}-"
            own = {key.removeprefix(prefix): parts[key] for key in parts if key.startswith(prefix)}
            try:
                detection = Detection.from_state(
                    _decode_detection(own.pop(_DETECTION)),
                    self._config.detection,
                    self._cohort,
                    self._config.projects,
                )
            except KeyError:
                raise ValueError("a subject's models are missing") from None
            kept = own.pop(_HISTORY, None)
            history = History() if kept is None else History.from_state(_decode_history(kept))
            days = {int(day): _decode_day(content) for day, content in own.items()}
            terms = self._terms((user_id, head.generation))
            state = SubjectState.restored(head.subject, days, detection, terms)
            state.history = history
            self._restore(user_id, head, state)

    def _restore(self, user_id: str, head: PersonHead, state: SubjectState) -> None:
        person = user_id, head.generation
        self._states[person] = state
        if head.next_wake_s is not None:
            self.wake(person, head.next_wake_s)
        if head.withdrawn_s is not None:
            self._withdrawals[person] = head.withdrawn_s
        if head.is_dirty:
            self._dirty.add(person)

    def _of_user(self, user_id: str) -> dict[int, SubjectState]:
        generations = range(self._registry.generation(user_id) + 1)
        return {
            generation: self._states[user_id, generation]
            for generation in generations
            if (user_id, generation) in self._states
        }

    def _terms(self, person: Person) -> Terms:
        user_id, generation = person
        return Terms(
            self._config,
            lambda due: self._registry.before(user_id, due, generation),
            self._partition,
            self._epoch,
        )

    def _withdraw(self, clock: float) -> list[Output]:
        """Settle what was due by a withdrawal, then drop everything held of that enrolment."""
        outputs: list[Output] = []
        reached = [(person, at) for person, at in self._withdrawals.items() if at <= clock]
        for person, instant in sorted(reached):
            outputs += self._isolated(person, partial(_ended, instant))
            self._forget(person)
        return outputs


def _raise(_: str, error: Exception) -> None:
    raise error


def _ended(instant: float, state: SubjectState) -> list[Output]:
    """What a withdrawal at an instant (s UTC) says last."""
    return [*state.settle(instant), *state.detection.withdraw_all(instant)]


def _encode_part(states: Mapping[int, SubjectState], part: str) -> bytes:
    generation, _, name = part.partition("-")
    state = states[int(generation)]
    if name == _DETECTION:
        return msgspec.msgpack.encode(state.detection.to_state())
    if name == _HISTORY:
        return msgspec.msgpack.encode(state.history.to_state())
    return msgspec.msgpack.encode(state.day(int(name)))
