"""People who work here, when they work, what may call us, and the audit log of access and configuration."""

from helpdesk.accounts.models.audit import AuditEntry, audit
from helpdesk.accounts.models.calendars import Calendar
from helpdesk.accounts.models.people import Absence, Mode, Reach, Role, Skill, Team, User, UserManager
from helpdesk.accounts.models.tokens import ApiToken, ApiTokenManager, IdempotentCall, Scope

__all__ = [
    "Absence",
    "ApiToken",
    "ApiTokenManager",
    "AuditEntry",
    "Calendar",
    "IdempotentCall",
    "Mode",
    "Reach",
    "Role",
    "Scope",
    "Skill",
    "Team",
    "User",
    "UserManager",
    "audit",
]
