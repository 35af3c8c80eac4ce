"""Who is killed, when, and what else breaks. One thread: every fork and every signal comes from here."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import redis

from bench.chaos import workers
from bench.chaos.scene import LEASE, Scene
from helpdesk.embedded import defaults

# how often each role is chosen, among all kills; booting Celery takes a second, so it is left alone a little longer
TARGETS = {
    "campaigns": 30,
    "replies": 15,
    "dispatcher": 25,
    "ticker": 8,
    "incoming": 5,
    "smtp": 8,
    "web": 20,
    "celery": 1,
    "beat": 1,
}


@dataclass
class Pace:
    """Seconds between faults of a kind, on average, and how long the broker stays away."""

    kill: float = 0.06
    flush: float = 4.0
    broker: float = 12.0
    broker_away: float = 2.0
    database: float = 10.0
    stop: float = 8.0


@dataclass
class Play:
    """The processes of the moment, and the count of what was done to them."""

    scene: Scene
    pace: Pace
    prepare: Callable[[], Any] | None = None
    living: dict[int, str] = field(default_factory=dict)
    stopped: dict[int, float] = field(default_factory=dict)  # pid → when it goes on
    deaths: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    armed: bool = True

    def fill(self) -> None:
        """As many of each role as there should be; the suspended ones count as gone, as a supervisor would see them."""
        there = Counter(role for pid, role in self.living.items() if pid not in self.stopped)
        for role, (wanted, _run) in workers.ROLES.items():
            for _ in range(wanted - there[role]):
                self.living[workers.start(role, self.scene, armed=self.armed, prepare=self.prepare)] = role

    def reap(self) -> None:
        for pid in list(self.living):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                role = self.living.pop(pid)
                self.stopped.pop(pid, None)
                if os.WIFSIGNALED(status):
                    self.deaths[role] += 1
                else:
                    self.faults[f"{role} ended by itself"] += 1

    def kill_one(self) -> None:
        role = random.choices(list(TARGETS), list(TARGETS.values()))[0]
        pids = [pid for pid, name in self.living.items() if name == role]
        if pids:
            os.kill(random.choice(pids), signal.SIGKILL)

    def run(self, seconds: float) -> None:
        """Break things for this long."""
        end = time.monotonic() + seconds
        due = {"kill": 0.0, "flush": 0.0, "broker": 0.0, "database": 0.0, "stop": 0.0}
        actions = {
            "kill": self.kill_one,
            "flush": self.flush,
            "broker": self.lose_broker,
            "database": self.lose_database,
            "stop": self.suspend,
        }
        for name in due:
            due[name] = time.monotonic() + random.uniform(0.3, 1) * getattr(self.pace, name)
        self.back_at = float("inf")
        while (at := time.monotonic()) < end:
            for name, moment in due.items():
                if at >= moment:
                    actions[name]()
                    due[name] = at + random.expovariate(1 / getattr(self.pace, name))
            if at >= self.back_at:
                self.scene.mend_server("valkey")
                self.back_at = float("inf")
            self.wake()
            self.reap()
            self.fill()
            time.sleep(0.005)
        if self.back_at < float("inf"):
            self.scene.mend_server("valkey")
        self.wake(everybody=True)
        self.armed = False
        self.kill_all()

    def kill_all(self) -> None:
        for pid in self.living:
            os.kill(pid, signal.SIGKILL)
        while self.living:
            self.reap()
            time.sleep(0.005)

    def flush(self) -> None:
        if self.back_at < float("inf"):
            return
        redis.Redis.from_url(defaults.redis_url(self.scene.path), socket_timeout=2).flushall()
        self.faults["FLUSHALL"] += 1

    def lose_broker(self) -> None:
        if self.back_at < float("inf"):
            return
        self.scene.break_server("valkey", signal.SIGKILL)
        self.back_at = time.monotonic() + self.pace.broker_away
        self.faults["broker away"] += 1

    def lose_database(self) -> None:
        self.scene.break_server("postgres", signal.SIGQUIT)
        self.reap()
        self.scene.mend_server("postgres")
        self.faults["database stopped immediate"] += 1

    def suspend(self) -> None:
        """SIGSTOP for longer than a lease: a process that comes back and believes that it still owns its rows."""
        pids = [pid for pid, role in self.living.items() if role in ("campaigns", "replies") and pid not in self.stopped]
        if pids:
            pid = random.choice(pids)
            os.kill(pid, signal.SIGSTOP)
            self.stopped[pid] = time.monotonic() + LEASE + 1
            self.faults["suspended beyond its lease"] += 1

    def wake(self, *, everybody: bool = False) -> None:
        for pid, moment in list(self.stopped.items()):
            if everybody or time.monotonic() >= moment:
                os.kill(pid, signal.SIGCONT)
                del self.stopped[pid]
