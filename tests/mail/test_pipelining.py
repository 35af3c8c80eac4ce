"""All commands of a message at once, where the mail server can take them (RFC 2920); and nothing is lost or doubled by it."""

import socket
import threading

import pytest

from helpdesk.mail.transports import SmtpTransport

RAW = b"Subject: Hi\r\n\r\nThere\r\n"


class Server(threading.Thread):
    """One connection after the other. It keeps what arrived in one piece, and the texts that were ended by a dot."""

    def __init__(self, extension=b"PIPELINING", refuse=(), data=b"354 go on\r\n"):
        super().__init__(daemon=True)
        self.line = socket.create_server(("127.0.0.1", 0))
        self.port = self.line.getsockname()[1]
        self.extension, self.refuse, self.data = extension, set(refuse), data
        self.pieces, self.taken = [], []
        self.start()

    def run(self):
        while True:
            try:
                wire, _address = self.line.accept()
            except OSError:
                return
            with wire:
                self.talk(wire)

    def talk(self, wire):
        wire.sendall(b"220 here\r\n")
        text = None
        while piece := wire.recv(65536):
            if text is not None:
                text += piece
                if text.endswith(b"\r\n.\r\n"):
                    self.taken.append(text)
                    text = None
                    wire.sendall(b"250 taken\r\n")
                continue
            self.pieces.append(piece)
            for command in piece.split(b"\r\n")[:-1]:
                if command.upper().startswith(b"EHLO"):
                    wire.sendall(b"250-here\r\n250 " + self.extension + b"\r\n")
                elif any(word in command for word in self.refuse):
                    wire.sendall(b"550 5.1.1 Nobody of this name\r\n")
                elif command == b"DATA":
                    wire.sendall(self.data)
                    text = b"" if self.data.startswith(b"354") else None
                else:
                    wire.sendall(b"250 fine\r\n")


@pytest.fixture
def server():
    made = []

    def make(**how):
        made.append(Server(**how))
        return made[-1]

    yield make
    for each in made:
        each.line.close()


def send(line, *recipients):
    return line.send("us@nordwind.example", list(recipients), RAW)


def test_one_recipient_is_one_piece_and_two_are_asked_about_one_by_one(server):
    there = server()
    line = SmtpTransport(f"smtp://127.0.0.1:{there.port}")
    assert send(line, "ben@carter.example").outcome == "accepted"
    commands = b"MAIL FROM:<us@nordwind.example>\r\nRCPT TO:<ben@carter.example>\r\nDATA\r\n"
    assert there.pieces[-1] == commands and there.taken == [RAW + b".\r\n"]
    assert send(line, "ben@carter.example", "cc@carter.example").outcome == "accepted"
    assert there.pieces[-1] == b"DATA\r\n" and len(there.taken) == 2
    line.close()


def test_a_server_that_cannot_is_asked_step_by_step(server):
    there = server(extension=b"8BITMIME")
    line = SmtpTransport(f"smtp://127.0.0.1:{there.port}")
    assert send(line, "ben@carter.example").outcome == "accepted"
    assert there.pieces[-1] == b"DATA\r\n" and len(there.taken) == 1
    line.close()


@pytest.mark.parametrize("refuse", [b"RCPT", b"MAIL"])
def test_a_refusal_is_final_and_the_next_message_leaves_by_the_same_line(server, refuse):
    there = server(refuse=[refuse], data=b"503 5.5.1 No recipient\r\n")
    line = SmtpTransport(f"smtp://127.0.0.1:{there.port}")
    said = send(line, "gone@carter.example")
    assert (said.outcome, said.code) == ("failed", 550) and there.pieces[-1] == b"rset\r\n"
    there.refuse, there.data = set(), b"354 go on\r\n"
    assert send(line, "ben@carter.example").outcome == "accepted" and len(there.taken) == 1
    line.close()


def test_a_server_that_waits_for_the_text_of_what_it_refused_gets_none(server):
    there = server(refuse=[b"gone@"])
    line = SmtpTransport(f"smtp://127.0.0.1:{there.port}")
    assert send(line, "gone@carter.example").outcome == "failed"
    assert send(line, "ben@carter.example").outcome == "accepted"  # by a line of its own
    assert there.taken == [RAW + b".\r\n"]
    line.close()


def test_an_address_that_no_command_can_carry_is_refused_here(server):
    there = server()
    line = SmtpTransport(f"smtp://127.0.0.1:{there.port}")
    assert send(line, "ben@carter.example>\r\nRCPT TO:<eve@evil.example").outcome == "failed"
    assert not there.taken and not any(b"eve@" in piece for piece in there.pieces)
    line.close()
