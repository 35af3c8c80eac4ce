"""A ticket, what was said on it, who follows it, and what each person here has read and begun to write."""

from tickets.models.message import Draft, Message, Participant, ReadMark
from tickets.models.ticket import LIVE, Channel, Priority, Status, Ticket, TicketClosed

__all__ = ["LIVE", "Channel", "Draft", "Message", "Participant", "Priority", "ReadMark", "Status", "Ticket", "TicketClosed"]
