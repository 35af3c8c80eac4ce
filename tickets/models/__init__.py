"""A ticket, what was said on it, who follows it, and what each person here has read and begun to write."""

from tickets.models.blocked import BlockedSender
from tickets.models.clocks import Clock, Policy, Recount, StatusChange
from tickets.models.message import Draft, Message, Participant, ReadMark
from tickets.models.terms import LIVE, OURS, Channel, Priority, Status, TicketClosed
from tickets.models.ticket import Ticket

__all__ = [
    "LIVE",
    "OURS",
    "BlockedSender",
    "Channel",
    "Clock",
    "Draft",
    "Message",
    "Participant",
    "Policy",
    "Priority",
    "ReadMark",
    "Recount",
    "Status",
    "StatusChange",
    "Ticket",
    "TicketClosed",
]
