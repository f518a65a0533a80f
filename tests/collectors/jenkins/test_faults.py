"""Whatever a server does wrong ends in a whole harvest, or in one sentence with what to do and nothing lost."""

import json
import shutil
import socket
import ssl
import subprocess
from datetime import UTC, datetime

import jenkins_peer
import pytest

from collectors import credentials
from collectors.jenkins.collector import JenkinsCollector

ENDED = {"timestamp": 1_760_000_000_000, "duration": 1000, "building": False, "result": "SUCCESS"}


@pytest.fixture
def busy(site):
    """A Jenkins with two jobs of three builds."""
    for job in ("shop/build", "shop/deploy"):
        for number in (1, 2, 3):
            site.jenkins.build(job, number, **ENDED)
    return site


PASSING = {
    "503 while Jenkins starts": (503, {}, "<html>Please wait while Jenkins is getting ready to work</html>"),
    "503 with Retry-After": (503, {"Retry-After": "7"}, "shutting down"),
    "502 of a proxy": (502, {}, "<html>Bad Gateway</html>"),
    "500 in passing": (500, {}, "<html>Oops!</html>"),
    "429": (429, {"Retry-After": "3"}, "slow down"),
    "reset": None,
    "a body cut short": (200, {"Content-Type": "application/json"}, '{"jobs": [{"na'),
    "fewer bytes than promised": (200, {"Content-Type": "application/json", "Content-Length": "9999", "Connection": "close"}, "{}"),
}


@pytest.mark.parametrize("fault", PASSING, ids=list(PASSING))
@pytest.mark.parametrize("before", [0, 2], ids=["at the list of jobs", "at a job's builds"])
def test_a_fault_that_passes_ends_in_a_whole_harvest(busy, shelf, fault, before):
    if before:
        source = busy.source()
        source.scope()
        busy.jenkins.faults = [PASSING[fault]]
    else:
        source, busy.jenkins.faults = busy.source(), [PASSING[fault]]
    source.client._library.timeout = 1  # a promise of more bytes is waited for
    outcome = shelf.collect(source)
    assert (outcome.error, len(shelf.rows("builds"))) == (None, 6)
    assert len(busy.waits) == 1
    assert outcome.requests == len(busy.served.requests) == 3


def test_a_server_says_how_long_to_wait(busy, shelf):
    busy.jenkins.faults = [PASSING["503 with Retry-After"]]
    shelf.collect(busy.source())
    assert busy.waits == [7.0]


def test_a_server_that_asks_for_an_hour_is_left_alone_until_then(busy, shelf):
    busy.jenkins.faults = [(503, {"Retry-After": "3600"}, "maintenance")]
    outcome = shelf.collect(busy.source())
    assert outcome.until is not None
    assert outcome.error.startswith(
        f"{busy.served.url} answered 503 (Jenkins is starting or shutting down); the server asks to wait"
    )


LASTING = {
    "401": (
        (401, {}, jenkins_peer.LOGIN),
        "does not know ann with this token (401): set user to a Jenkins user's id and token to an API token",
    ),
    "403": (
        (403, {}, jenkins_peer.LOGIN),
        "does not let ann read / (403): give that user Overall/Read and Job/Read, or check that token",
    ),
    "404": ((404, {}, "<html>Not Found</html>"), "has no Jenkins, or it has no / (404): check url, with its path"),
    "a login page": (
        (200, {"Content-Type": "text/html"}, jenkins_peer.LOGIN),
        "answers with a page instead of JSON: a login page or a proxy",
    ),
    "text": ((200, {}, "hello"), "does not answer in JSON: check url"),
    "JSON of something else": (
        (200, {"Content-Type": "application/json"}, '{"message": "hi"}'),
        "answers, but not as Jenkins does: check url",
    ),
    "410": ((410, {}, "gone"), "answered 410 (Gone) for /: check url, and the server's log"),
    "a circle": ((302, {"Location": "/api/json"}, ""), "sends us round in circles: check url, and the proxy"),
}


@pytest.mark.parametrize("fault", LASTING, ids=list(LASTING))
def test_a_fault_that_lasts_is_one_sentence_with_a_remedy(busy, shelf, monkeypatch, fault):
    monkeypatch.setenv("JENKINS_TOKEN", "t0ken-t0ken")
    answer, sentence = LASTING[fault]
    busy.jenkins.faults = [answer] * 40
    outcome = shelf.collect(busy.source(user="ann", token="env:JENKINS_TOKEN"))
    assert outcome.error.startswith(f"{busy.served.url} {sentence}")
    assert "\n" not in outcome.error
    assert "t0ken" not in outcome.error
    assert busy.waits == []


def test_nobody_is_told_to_sign_in(site, shelf):
    site.jenkins.user, site.jenkins.token = "ann", "secret"
    outcome = shelf.collect(site.source())
    assert outcome.error == (
        f"{site.served.url} asks who we are (403): set user to a Jenkins user's id and token to an API token of that user"
        " (Jenkins: the user's page, Security, API Token)"
    )


def test_user_and_token_sign_in_and_are_nowhere_to_be_read(busy, shelf, monkeypatch):
    monkeypatch.setenv("JENKINS_TOKEN", "t0ken-t0ken")
    busy.jenkins.user, busy.jenkins.token = "ann", "t0ken-t0ken"
    source = busy.source(user="ann", token="env:JENKINS_TOKEN")
    assert shelf.collect(source).error is None
    assert "t0ken" not in repr(source) + json.dumps(shelf.raw())
    assert all("crumb" not in request.path for request in busy.served.requests)
    assert credentials.hidden("t0ken-t0ken") == "***"


def test_a_server_that_stays_down_is_one_sentence_after_five_waits(busy, shelf):
    busy.jenkins.faults = [PASSING["503 while Jenkins starts"]] * 6
    outcome = shelf.collect(busy.source())
    assert outcome.error == (
        f"{busy.served.url} answered 503 (Jenkins is starting or shutting down), 6 times; what was read before is saved:"
        " run it again when the server is well"
    )
    assert len(busy.waits) == 5


def test_nobody_listening_is_one_sentence(site, shelf):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    source = site.source()
    source = JenkinsCollector.configured({"url": url}, source.context)
    assert shelf.collect(source).error.startswith(
        f"{url} takes no connections: Jenkins is down, or url has the wrong port, 6 times"
    )


def test_a_host_that_does_not_exist_is_one_sentence_at_once(site, shelf):
    source = JenkinsCollector.configured({"url": "http://jenkins.invalid"}, site.source().context)
    assert shelf.collect(source).error.startswith("http://jenkins.invalid: there is no host of that name: check url")
    assert site.waits == []


def test_https_to_a_server_without_it_is_one_sentence(site, shelf):
    url = site.served.url.replace("http:", "https:")
    source = JenkinsCollector.configured({"url": url}, site.source().context)
    assert shelf.collect(source).error.startswith(f"{url} does not speak TLS as we do: check url")


def test_a_silent_server_is_not_waited_for_for_ever(site, shelf):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        source = JenkinsCollector.configured({"url": url}, site.source().context)
        assert source.client._library.timeout == 30
        source.client._library.timeout = 0.05
        assert shelf.collect(source).error.startswith(f"{url} did not answer within 30 seconds, 6 times")


def test_a_job_that_cannot_be_read_does_not_stop_the_others(busy, shelf):
    source = busy.source()
    source.scope()
    busy.jenkins.faults = [(500, {}, "<html>Oops!</html>")] * 12  # the builds of both jobs, then those of the first
    outcome = shelf.collect(source)
    assert outcome.error.startswith(f"{busy.served.url} answered 500 (Internal Server Error), 6 times")
    assert {row["job"] for row in shelf.rows("builds")} == {"shop/deploy"}
    assert shelf.collect(busy.source()).error is None
    assert len(shelf.rows("builds")) == 6


def test_a_server_that_goes_down_under_way_is_not_asked_for_every_job(site, shelf):
    for job in range(10):
        site.jenkins.build(f"shop/build{job}", 1, **ENDED)
    source = site.source()
    source.scope()
    site.jenkins.faults = [(500, {}, "")] * 200
    assert shelf.collect(source).error is not None
    assert len(site.served.requests) == 1 + 6 + 3 * 6
    site.jenkins.faults = []
    assert shelf.collect(site.source()).error is None
    assert len(shelf.rows("builds")) == 10


def test_without_the_plugin_for_stages_builds_stand_for_them_and_it_is_said_once(site, shelf):
    site.jenkins.wfapi = False
    site.jenkins.job("shop/deploy", jenkins_peer.PIPELINE)
    for number in range(1, 31):
        site.jenkins.build("shop/deploy", number, **ENDED)
    outcome = shelf.collect(site.source(deploy_stages=["^Deploy"], deploy_jobs=["deploy"]))
    assert outcome.error is None
    assert outcome.warnings == (
        f"jenkins: {site.served.url} tells no stages (wfapi: 404): install the plugin Pipeline: Stage View there; until then whole"
        " builds stand for their stages",
    )
    assert (outcome.requests, len(shelf.rows("deployments"))) == (2 + 5, 30)


# What `vsm doctor` says. ---------------------------------------------------------------------------


def said(source) -> dict[str, tuple[bool | None, str]]:
    return {check.what: (check.well, check.said) for check in source.checks()}


def test_the_doctor_finds_a_server_well(busy, monkeypatch):
    monkeypatch.setenv("JENKINS_TOKEN", "t0ken-t0ken")
    busy.jenkins.user, busy.jenkins.token = "ann", "t0ken-t0ken"
    busy.jenkins.build(busy.jenkins.job("shop/pipeline", jenkins_peer.PIPELINE), 1, **ENDED)
    assert said(busy.source(user="ann", token="env:JENKINS_TOKEN", exclude_jobs=["build"])) == {
        "server": (True, f"{busy.served.url} is Jenkins 2.516.3"),
        "clock": (True, "the server's clock and ours agree"),
        "account": (True, "signed in as ann"),
        "jobs": (True, "2 of 3 jobs are read"),
        "stages": (True, "the server tells the stages of pipelines"),
    }


def test_the_doctor_finds_a_clock_that_is_wrong_no_jobs_and_no_plugin(site):
    site.jenkins.date, site.jenkins.wfapi = "Mon, 02 Mar 2026 09:10:00 GMT", False
    source = site.source()
    source.client.patience.wall = lambda: datetime(2026, 3, 2, 9, tzinfo=UTC).timestamp()
    told = said(source)
    assert told["clock"] == (False, "the server's clock (2026-03-02 09:10 UTC) is 600 s ahead of ours")
    assert told["account"] == (True, "nobody is signed in: what everybody may see is read")
    assert told["jobs"] == (False, "no job is to be seen")
    assert told["stages"][0] is None
    site.jenkins.build(site.jenkins.job("pipeline", jenkins_peer.PIPELINE), 1, **ENDED)
    told = said(site.source(jobs=["^other"]))
    assert told["jobs"] == (False, "none of 1 jobs is selected")
    assert said(site.source())["stages"] == (None, "the server tells no stages of pipeline #1")


def test_the_doctor_proposes_the_jobs_that_deploy_by_their_names(site):
    for job in ("shop/build", "shop/deploy-prod", "shop/deploy-staging", "web/release"):
        site.jenkins.build(job, 1, **ENDED)
    site.jenkins.job("rollout", jenkins_peer.MULTIBRANCH)
    site.jenkins.build(site.jenkins.job("rollout/main", jenkins_peer.PIPELINE), 1, **ENDED)
    assert site.source().proposal().splitlines() == [
        "deploy_jobs = [  # jobs whose names say that they deploy",
        "  '^rollout/',",
        "  '^shop/deploy-(?P<environment>prod)$',",
        "  '^shop/deploy-(?P<environment>staging)$',",
        "  '^web/release$',",
        "]",
    ]
    assert site.source(deploy_jobs=["deploy"]).proposal() == ""
    assert site.source(jobs=["build"]).proposal() == ""


def test_a_certificate_that_nobody_vouches_for_is_one_sentence(site, shelf, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate with")
    subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = site.served._server
    server.socket = context.wrap_socket(server.socket, server_side=True)
    url = site.served.url.replace("http:", "https:")
    source = JenkinsCollector.configured({"url": url}, site.source().context)
    assert shelf.collect(source).error == (
        f"{url} has a certificate that cannot be verified: set REQUESTS_CA_BUNDLE to the file of your certificate authority,"
        " or correct url"
    )
    assert site.waits == []
