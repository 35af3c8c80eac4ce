"""A ticket, whose work it was, what was said on it, what each person here has read; views, rules, clocks, escalation."""

from tickets.models.assignment import Assignment
from tickets.models.blocked import BlockedSender
from tickets.models.clocks import Clock, Policy, Recount, StatusChange
from tickets.models.escalation import Escalation, EscalationPath, EscalationStep
from tickets.models.forms import Question, TicketForm
from tickets.models.message import Draft, Message, Participant, ReadMark
from tickets.models.rules import Rule, RuleKind, RuleMeeting, RuleRun, RuleTimer, RuleVersion
from tickets.models.saved import Order, SavedView
from tickets.models.terms import LIVE, OURS, Channel, Priority, Status, TicketClosed
from tickets.models.ticket import Ticket
from tickets.models.triage import Classifier, Suggestion, TopicFigure, TopicTrust

__all__ = [
    "LIVE",
    "OURS",
    "Assignment",
    "BlockedSender",
    "Channel",
    "Classifier",
    "Clock",
    "Draft",
    "Escalation",
    "EscalationPath",
    "EscalationStep",
    "Message",
    "Order",
    "Participant",
    "Policy",
    "Priority",
    "Question",
    "ReadMark",
    "Recount",
    "Rule",
    "RuleKind",
    "RuleMeeting",
    "RuleRun",
    "RuleTimer",
    "RuleVersion",
    "SavedView",
    "Status",
    "StatusChange",
    "Suggestion",
    "Ticket",
    "TicketClosed",
    "TicketForm",
    "TopicFigure",
    "TopicTrust",
]
