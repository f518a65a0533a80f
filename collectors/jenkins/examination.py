"""What `vsm doctor` asks of a Jenkins server."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from collectors.base import Check, CollectorError
from collectors.jenkins.client import Client, Missing
from collectors.jenkins.jobs import Job

SKEW = 60.0  # seconds between two clocks that are not worth a word


def examined(client: Client, every: Sequence[Job], selected: Sequence[Job]) -> Iterator[Check]:
    """The checks, after the list of jobs has been read. Raises CollectorError."""
    yield _server(client)
    yield _clock(client)
    yield _account(client)
    yield _jobs(every, selected)
    yield _stages(client, selected)


def _server(client: Client) -> Check:
    version = client.headers.get("X-Jenkins")
    if version:
        return Check("server", True, f"{client.url} is Jenkins {version}")
    return Check("server", None, f"{client.url} answers as Jenkins does, but does not say so", "check url, and the proxy before it")


def _clock(client: Client) -> Check:
    try:
        server = parsedate_to_datetime(client.headers.get("Date", ""))
    except ValueError:
        return Check("clock", None, "the server does not tell the time")
    skew = server.timestamp() - client.patience.wall()
    if abs(skew) <= SKEW:
        return Check("clock", True, "the server's clock and ours agree")
    shown = datetime.fromtimestamp(server.timestamp(), UTC)
    way = "ahead of" if skew > 0 else "behind"
    said = f"the server's clock ({shown:%Y-%m-%d %H:%M} UTC) is {abs(skew):,.0f} s {way} ours"
    return Check("clock", False, said, "set both by NTP: times of builds are the server's")


def _account(client: Client) -> Check:
    if client.user is None:
        return Check("account", True, "nobody is signed in: what everybody may see is read")
    try:
        me = client.me()
    except Missing:
        remedy = "check user and token: an API token of that user"
        return Check("account", False, "the server takes us for nobody, although user and token are given", remedy)
    return Check("account", True, f"signed in as {me.get('id') or client.user}")


def _jobs(every: Sequence[Job], selected: Sequence[Job]) -> Check:
    if not every:
        return Check("jobs", False, "no job is to be seen", "give the user Overall/Read and Job/Read, in the folders, too")
    if not selected:
        return Check(
            "jobs",
            False,
            f"none of {len(every):,} jobs is selected",
            "check jobs and exclude_jobs: they are searched in full names",
        )
    silent = sum(job.number is None for job in selected)
    told = f", {silent:,} of them without a build" if silent else ""
    return Check("jobs", True, f"{len(selected):,} of {len(every):,} jobs are read{told}")


def _stages(client: Client, selected: Sequence[Job]) -> Check:
    pipeline = next((job for job in selected if job.kind == "WorkflowJob" and job.number is not None), None)
    if pipeline is None or pipeline.number is None:
        return Check("stages", None, "no pipeline has run, so it is not known whether the server tells stages")
    try:
        client.stages(pipeline.name, pipeline.number)
    except Missing:
        remedy = "install the plugin Pipeline: Stage View if deploy_stages or stages = true is to be used"
        return Check("stages", None, f"the server tells no stages of {pipeline.name} #{pipeline.number}", remedy)
    except CollectorError as error:
        return Check("stages", False, str(error))
    return Check("stages", True, "the server tells the stages of pipelines")
