"""What a program leaves behind that is killed at any moment of a harvest, import, migration, export, backup or restore."""

import shutil
import signal
import time
from pathlib import Path

import alembic.command
import alembic.config
import sqlalchemy as sa
from company import Company

from vsm import backup, facts, store


class Kills:
    """A company whose program is killed again and again; each method gives how often what it left differs from the whole."""

    def __init__(self, company: Company) -> None:
        self.company, self.stores = company, 0
        self.whole, self._asked = company.undisturbed()
        # What is imported and exported: the same facts several times over under other names, so that it takes a while.
        self.folder = company.folder / "whole-facts"
        self._seconds: dict[str, float] = {}
        with store.opened(company.store("whole")) as engine, engine.connect() as connection:
            self.rows = store.rows(connection)

    def harvests(self, kills: int) -> int:
        """Harvests killed at requests until they got through."""
        differing, until = 0, self.company.killed + kills
        while self.company.killed < until:
            found, _ = self.company.disturbed(self._name(), self._asked)
            differing += found != self.whole
        return differing

    def imports(self, kills: int) -> int:
        """Imports: after each kill all of the folder is there or nothing."""
        differing, until = 0, self.company.killed + kills
        while self.company.killed < until:
            name, before = self._name(), self.company.killed
            while self._killed("import", "import", str(self.folder), "--store", self.company.store(name)) != 0:
                differing += self._counted(name) not in (0, self.rows)
                assert self.company.killed - before < 200, "it gets no further"
            differing += self.company.facts(name) != self.whole
        return differing

    def migrations(self, kills: int) -> int:
        """A store of the first version that a program brings up to date: of one version or of the other, with all its facts."""
        differing, until = 0, self.company.killed + kills
        while self.company.killed < until:
            url, before = self.company.store(self._name()), self.company.killed
            older(url, self.folder)
            while (
                self._killed("migration", "event", "incident", "--id", "i", "--opened-at", "2026-03-02T09:00Z", "--store", url) != 0
            ):
                differing += versions(url) not in ([store.KNOWN[0]], [store.VERSION])
                assert self.company.killed - before < 200, "it gets no further"
            with store.opened(url) as engine, engine.connect() as connection:
                differing += (versions(url), store.rows(connection)) != ([store.VERSION], old_rows(self.folder) + 1)
        return differing

    def exports(self, kills: int) -> int:
        """An export over an older one: every file is whole, and the next export makes all of them new."""
        out, until, differing = self.company.folder / "exported", self.company.killed + kills, 0
        call = ["export", "facts", str(out), "--force", "--store", self.company.store("whole")]
        while self.company.killed < until:
            shutil.rmtree(out, ignore_errors=True)
            shutil.copytree(self.folder, out)
            for path in out.iterdir():
                path.write_text(f"{path.read_text().splitlines()[0]}\n")
            old = {path.name: path.read_text() for path in out.iterdir()}
            while self._killed("export", *call) != 0:
                found = {path.name: path.read_text() for path in out.glob("[!.]*.csv")}
                differing += not all(found.get(name) in (old[name], self.whole[name]) for name in old)
            differing += {path.name: path.read_text() for path in sorted(out.glob("[!.]*"))} != self.whole
        return differing

    def backups(self, kills: int) -> int:
        """Backups over an older one, and their return over a store with other facts: each is the old one or the new one, whole."""
        file, other = self.company.folder / "backup.zip", self.company.folder / "other-facts"
        self._other(other)
        until, differing = self.company.killed + kills, 0
        while self.company.killed < until:
            old, call = backup_of(file), ["backup", str(file), "--force", "--store", self.company.store("whole")]
            while self._killed("backup", *call) != 0:
                differing += file.exists() and backup_of(file) != old and backup.check(file).rows["tickets"] != self._tickets
            differing += backup.check(file).rows["tickets"] != self._tickets
            name = self._name()
            assert self.company.call("import", str(other), "--store", self.company.store(name)) == 0, self.company.errors()
            before, call = self._counted(name), ["restore", str(file), "--force", "--store", self.company.store(name)]
            while self._killed("restore", *call) != 0:
                differing += self._counted(name) not in (before, self.rows)
            differing += self.company.facts(name) != self.whole
        return differing

    @property
    def _tickets(self) -> int:
        return self.whole["tickets.csv"].count("\n") - 1

    def _other(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "tickets.csv").write_text("key,created_at\nOLD-1,2026-03-02T09:00:00Z\n")

    def _name(self) -> str:
        self.stores += 1
        return f"killed-{self.stores}"

    def _killed(self, what: str, *call: str) -> int:
        """A call that is killed somewhere within the time that it takes, one time in four not at all."""
        began = time.monotonic()
        after = self.company.rng.uniform(0, 1.2 * self._seconds.get(what, 1.0))
        status = self.company.call(*call, kill_after=after if self.company.rng.random() < 0.75 else None)
        assert status in (0, -signal.SIGKILL), self.company.errors()  # one that fails by itself would be tried for ever
        if status == 0:
            self._seconds[what] = time.monotonic() - began
        return status

    def _counted(self, name: str) -> int:
        with store.opened(self.company.store(name)) as engine, engine.connect() as connection:
            return store.rows(connection)


def backup_of(file: Path) -> bytes | None:
    """A backup's bytes; None where there is none yet."""
    return file.read_bytes() if file.exists() else None


def older(url: str, folder: Path) -> None:
    """A store as the first version of the program made it, with some facts."""
    engine = store.engine_at(url)
    with engine.connect() as plain, store.writing(plain) as connection, connection.begin():
        config = alembic.config.Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(Path(store.__file__).parent / "migrations"))
        alembic.command.upgrade(config, store.KNOWN[0])
        for file in facts.check(folder).files:
            if file.name in ("tickets", "commits"):
                facts._save(connection, file, facts.Checked(folder, None, (file,)))
    engine.dispose()


def old_rows(folder: Path) -> int:
    """How many facts such a store has."""
    return sum(file.rows for file in facts.check(folder).files if file.name in ("tickets", "commits"))


def versions(url: str) -> list[str]:
    """The versions that a store says it is of, asked without opening it as a store."""
    engine = store.engine_at(url)
    with engine.connect() as connection:
        found = list(connection.scalars(sa.text("SELECT version_num FROM alembic_version")))
    engine.dispose()
    return found
