"""A ticket, what was said on it, who follows it, what each person here has read and begun to write, and their views."""

from tickets.models.blocked import BlockedSender
from tickets.models.message import Draft, Message, Participant, ReadMark
from tickets.models.saved import Order, SavedView
from tickets.models.terms import LIVE, OURS, Channel, Priority, Status, TicketClosed
from tickets.models.ticket import Ticket

__all__ = [
    "LIVE",
    "OURS",
    "BlockedSender",
    "Channel",
    "Draft",
    "Message",
    "Order",
    "Participant",
    "Priority",
    "ReadMark",
    "SavedView",
    "Status",
    "Ticket",
    "TicketClosed",
]
