"""Somebody at every mailbox: signed in, looking, and asleep until the server rings (IDLE) or MAIL_POLL seconds are over.

One thread a mailbox, for each waits for its own server. If all of this dies, the sweep of imap.fetch_all looks instead.
"""

import threading
import time

import structlog
from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection

from helpdesk.mail import imap
from helpdesk.mail.mailserver import TROUBLE, Server, connect
from helpdesk.mail.models import Mailbox

log = structlog.get_logger(__name__)
EVERY = 2.0  # seconds between two looks at which mailboxes there are
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds after trouble, doubling; below imap.UNWATCHED
FAREWELL = 5.0  # seconds for a mail that is being kept when we are told to stop

# What a watcher signed in with. Who changed one of these is heard within EVERY seconds.
SIGNED_IN_WITH = ("imap_host", "imap_port", "imap_tls", "imap_user", "imap_folder", "provider", "signed_in_at")


def watch(stop: threading.Event) -> None:
    """Watch every mailbox that has a server, whichever these are at the time, until we are told to stop."""
    watchers: dict[int, Watcher] = {}
    while not stop.is_set():
        try:
            _station(watchers)
        except DatabaseError as error:
            log.warning("mailboxes_not_read", error=str(error))
        finally:
            connection.close()
        stop.wait(EVERY)
    for watcher in watchers.values():
        watcher.stop.set()
    for watcher in watchers.values():
        watcher.join(FAREWELL)


def _station(watchers: dict[int, "Watcher"]) -> None:
    close_old_connections()
    wanted = {box.pk: box for box in Mailbox.objects.exclude(imap_host="")}
    for pk, watcher in list(watchers.items()):
        if pk not in wanted or not watcher.knows(wanted[pk]) or not watcher.is_alive():
            watcher.stop.set()
            del watchers[pk]
    for pk in wanted.keys() - watchers.keys():
        watchers[pk] = Watcher(wanted[pk])
        watchers[pk].start()


class Watcher(threading.Thread):
    def __init__(self, box: Mailbox) -> None:
        super().__init__(name=f"mailbox-{box.slug}", daemon=True)
        self.box, self.stop, self.signature = box, threading.Event(), _signature(box)

    def knows(self, box: Mailbox) -> bool:
        """Whether this is still what we signed in with."""
        return _signature(box) == self.signature

    def run(self) -> None:
        pause = FIRST_PAUSE
        while not self.stop.is_set():
            begun = time.monotonic()
            try:
                self._attend()
            except Exception:  # the database is away, or a mistake of ours: neither ends the watch
                log.exception("mailbox_not_watched", mailbox=self.box.slug)
            finally:
                connection.close()
            if time.monotonic() - begun > LONGEST_PAUSE:
                pause = FIRST_PAUSE
            self.stop.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _attend(self) -> None:
        """One conversation, as long as it lasts. A server that ends a good one is only called again."""
        looks = 0
        server: Server | None = None
        try:
            server = connect(self.box)
            rings = server.rings()
            while not self.stop.is_set():
                while imap.look(self.box, server) == imap.PORTION or server.announced():
                    pass
                imap.worked(self.box)
                looks += 1
                connection.close()  # not one for each sleeper
                if rings:
                    server.wait(settings.MAIL_POLL, self.stop)
                else:
                    self.stop.wait(settings.MAIL_POLL)
        except TROUBLE as trouble:
            if not looks:
                imap.failed(self.box, trouble)
        finally:
            if server:
                server.leave()


def _signature(box: Mailbox) -> tuple[object, ...]:
    # A provider's refresh token changes by itself; a password only by an admin.
    return (*(getattr(box, name) for name in SIGNED_IN_WITH), b"" if box.provider else bytes(box.imap_secret))
