"""Physical ranges and units of every number on the wire, as annotated types.

A value outside its range is a bad record: it is set aside alone and never clipped.
"""

from typing import Annotated

from msgspec import Meta

EpochSeconds = Annotated[
    float, Meta(ge=0.0, le=4_102_444_800.0, description="Seconds since the epoch, UTC (s).")
]
DurationSeconds = Annotated[float, Meta(ge=0.0, le=604_800.0, description="Length of time (s).")]
DaySeconds = Annotated[
    float, Meta(ge=0.0, le=90_000.0, description="Time within one local day of up to 25 h (s).")
]
# 60 s steps, because nothing in the science is finer than a minute.
UtcOffset = Annotated[
    int,
    Meta(ge=-43_200, le=50_400, multiple_of=60, description="Seconds east of UTC (s)."),
]
# In Python, `$` matches before a line feed at the end, too; so written, all engines refuse it.
_ID = r"^[A-Za-z0-9._-]{1,64}$(?!\n)"
UserId = Annotated[
    str,
    Meta(
        pattern=_ID,
        description="Pseudonym of a subject; never a name, an e-mail or a phone number.",
    ),
]
ProjectId = Annotated[str, Meta(pattern=_ID, description="Study or site.")]
SourceId = Annotated[str, Meta(min_length=1, max_length=128, description="Device or app instance.")]
RecordId = Annotated[
    str,
    Meta(min_length=1, max_length=128, description="The vendor's id, stable over revisions."),
]
Label = Annotated[str, Meta(min_length=1, max_length=64)]
Text = Annotated[str, Meta(max_length=1_000)]
Hash = Annotated[
    str, Meta(min_length=1, max_length=128, description="Keyed hash of a contact, never a number.")
]

HeartRateBpm = Annotated[float, Meta(ge=20.0, le=300.0, description="Heart rate (beats/min).")]
InterBeatIntervalSeconds = Annotated[
    float, Meta(ge=0.2, le=3.0, description="Time between two heart beats (s).")
]
VariabilityMs = Annotated[
    float, Meta(gt=0.0, le=1_000.0, description="Heart-rate variability (ms); zero is refused.")
]
Fraction = Annotated[float, Meta(ge=0.0, le=1.0, description="Share from 0 to 1.")]
Count = Annotated[int, Meta(ge=0, le=1_000_000, description="Count.")]
StepCount = Annotated[int, Meta(ge=0, le=200_000, description="Number of steps.")]
ScoreValue = Annotated[
    float, Meta(ge=-1_000.0, le=1_000.0, description="Score of a self-report instrument.")
]
ItemValue = Annotated[int, Meta(ge=-1_000, le=1_000, description="Answer to one item.")]
Priority = Annotated[
    int, Meta(ge=0, le=1_000, description="Rank of a source; the smaller number goes first.")
]
