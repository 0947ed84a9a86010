"""``wakeline setup influx``: buckets and tokens in InfluxDB."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.errors import BadInput

if TYPE_CHECKING:
    from connectors.influx.administration import Outcome
    from connectors.influx.client import Access
    from streams.settings import Settings

SiteOption = Annotated[
    list[str], typer.Option("--site", help="Site (projectId); can be given several times.")
]
OutOption = Annotated[
    Path,
    typer.Option(
        "-o", "--out", help="Env file that takes the tokens, or a folder for those of one site."
    ),
]
KeepMinutesOption = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="How long minutes are kept (days; 0: for ever). New buckets: 90. A bucket that is "
        "there keeps its own unless this is given.",
    ),
]
KeepFeaturesOption = Annotated[
    int | None, typer.Option(min=0, help="The same for features. New buckets: 730.")
]
KeepAlertsOption = Annotated[
    int | None, typer.Option(min=0, help="The same for alerts. New buckets: 0.")
]
KeepPipelineOption = Annotated[
    int | None, typer.Option(min=0, help="The same for the pipeline. New bucket: 90.")
]


def register(app: typer.Typer) -> None:
    """Add the group ``setup`` with its commands."""
    group = typer.Typer(
        name="setup", help="Prepare what Wakeline stores its results in.", no_args_is_help=True
    )
    group.command("influx")(influx)
    # A group with one command would otherwise be that command.
    group.callback()(_setup)
    app.add_typer(group)


def _setup() -> None:
    """Prepare what Wakeline stores its results in."""


def influx(
    site: SiteOption,
    out: OutOption,
    keep_minutes: KeepMinutesOption = None,
    keep_features: KeepFeaturesOption = None,
    keep_alerts: KeepAlertsOption = None,
    keep_pipeline: KeepPipelineOption = None,
    show: Annotated[bool, typer.Option("--show", help="Print the tokens too.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Say what was done as JSON.")] = False,
) -> None:
    """Create buckets and tokens in InfluxDB 2; what is there already stays as it is.

    One token lets workers read and write all sites (WAKELINE_INFLUX_TOKEN), one for each site
    lets Grafana read that site. InfluxDB shows a token only once: run this again if the file is
    lost, and new tokens take the place of the old ones. Workers need the new one from then on.

    WAKELINE_INFLUX_URL says where InfluxDB is, WAKELINE_INFLUX_ADMIN_TOKEN is an operator's token.
    A fresh InfluxDB is set up with that token and WAKELINE_INFLUX_ADMIN_PASSWORD.

    Example: wakeline setup influx --site ward-a --site ward-b -o influx.env
    """
    from connectors.influx.administration import Wish, set_up
    from connectors.influx.tokens import token_store
    from streams.settings import Settings

    settings = Settings.load()
    admin = _admin(settings)
    _require_sites(site)
    keep = {
        "minutes": keep_minutes,
        "features": keep_features,
        "alerts": keep_alerts,
        "pipeline": keep_pipeline,
    }
    password = settings.influx_admin_password
    wish = Wish(
        sites=site,
        keep_days={part: days for part, days in keep.items() if days is not None},
        password=None if password is None else password.get_secret_value(),
    )
    store = token_store(out, site)
    outcome = set_up(admin, wish, store)
    _report(outcome, store.read() if show else {}, out=out, as_json=json)


def _admin(settings: "Settings") -> "Access":
    from connectors.influx.client import Access

    if settings.influx_url is None or settings.influx_admin_token is None:
        raise BadInput("set WAKELINE_INFLUX_URL and WAKELINE_INFLUX_ADMIN_TOKEN (an operator's)")
    token = settings.influx_admin_token.get_secret_value()
    return Access(url=settings.influx_url, token=token, org=settings.influx_org)


def _require_sites(sites: list[str]) -> None:
    import msgspec

    from streams.events.ranges import ProjectId

    for site in sites:
        try:
            msgspec.convert(site, ProjectId)
        except msgspec.ValidationError:
            raise BadInput(f"{site!r} is no projectId: letters, digits, dots, _ and -") from None


def _report(outcome: "Outcome", tokens: dict[str, str], *, out: Path, as_json: bool) -> None:
    import msgspec

    if as_json:
        answer = msgspec.to_builtins(outcome) | {"out": str(out)}
        typer.echo(msgspec.json.encode(answer | ({"tokens": tokens} if tokens else {})).decode())
        return
    done = {
        "created": outcome.created,
        "changed": outcome.changed,
        "left as it was": outcome.kept,
        f"tokens made, in {out}": outcome.tokens_made,
        f"tokens left as they were, in {out}": outcome.tokens_kept,
    }
    typer.echo(f"InfluxDB {outcome.server}")
    for what, names in done.items():
        if names:
            typer.echo(f"{what}: {', '.join(names)}")
    for name, token in tokens.items():
        typer.echo(f"{name}: {token}")
    if "worker" in outcome.tokens_made:
        typer.echo("Start the workers with the new token; an earlier one no longer works.")
