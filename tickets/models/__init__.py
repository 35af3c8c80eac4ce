"""A ticket, what was said on it, whose work it was, who follows it, and what each person here has read and begun to write."""

from tickets.models.assignment import Assignment
from tickets.models.blocked import BlockedSender
from tickets.models.message import Draft, Message, Participant, ReadMark
from tickets.models.terms import LIVE, OURS, Channel, Priority, Status, TicketClosed
from tickets.models.ticket import Ticket

__all__ = [
    "LIVE",
    "OURS",
    "Assignment",
    "BlockedSender",
    "Channel",
    "Draft",
    "Message",
    "Participant",
    "Priority",
    "ReadMark",
    "Status",
    "Ticket",
    "TicketClosed",
]
