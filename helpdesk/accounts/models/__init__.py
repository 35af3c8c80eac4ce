"""People who work here, when they work, what they are told, what may call us; the audit log of access and configuration."""

from helpdesk.accounts.models.archive import Archivable, ArchivableQuerySet
from helpdesk.accounts.models.audit import AuditEntry, audit
from helpdesk.accounts.models.calendars import Calendar, Holiday, HolidaySource
from helpdesk.accounts.models.notifications import Notification
from helpdesk.accounts.models.people import Absence, Mode, Reach, Role, Skill, Team, User, UserManager
from helpdesk.accounts.models.tokens import ApiToken, ApiTokenManager, IdempotentCall, Scope

__all__ = [
    "Absence",
    "ApiToken",
    "ApiTokenManager",
    "Archivable",
    "ArchivableQuerySet",
    "AuditEntry",
    "Calendar",
    "Holiday",
    "HolidaySource",
    "IdempotentCall",
    "Mode",
    "Notification",
    "Reach",
    "Role",
    "Scope",
    "Skill",
    "Team",
    "User",
    "UserManager",
    "audit",
]
