"""Every page, and who looks at it; `{…}` are the rows of `conftest.world`. A new page gets a row here and in queries.json."""

from typing import NamedTuple


class Page(NamedTuple):
    name: str
    address: str
    who: str  # "" is a stranger


PAGES = [
    Page("inbox", "/inbox/", "ana"),
    Page("inbox-solved", "/inbox/solved/", "ana"),
    Page("inbox-spam", "/inbox/spam/", "ana"),
    Page("blocked", "/blocked/", "ana"),
    Page("inbox-search", "/inbox/open/?q=invoice", "ana"),
    Page("ticket", "/tickets/{ticket}/?view=waiting", "ana"),
    Page("ticket-simple", "/tickets/{simple}/", "ana"),  # of somebody on no campaign's way
    Page("ticket-properties", "/tickets/{ticket}/properties/", "ana"),
    Page("ticket-print", "/tickets/{ticket}/print/?notes=1", "ana"),
    Page("ticket-files", "/tickets/{letter}/", "ana"),
    Page("ticket-letter", "/tickets/messages/{message}/letter/", "omar"),
    Page("file-picture", "/tickets/files/{picture}/look/", "ana"),
    Page("file-text", "/tickets/files/{text}/look/", "ana"),
    Page("ticket-answers", "/tickets/{ticket}/answers/", "ana"),
    Page("form", "/write/", ""),
    Page("thanks", "/write/thanks/", ""),
    Page("sign-in", "/accounts/login/", ""),
    Page("unsubscribe", "/u/{token}", ""),
    Page("choices", "/u/{token}/choices", ""),
    Page("customers", "/customers/", "ana"),
    Page("customer", "/customers/{customer}/", "ana"),
    Page("customer-edit", "/customers/{customer}/edit/", "ana"),
    Page("customer-new", "/customers/new/", "ana"),
    Page("customer-consents", "/customers/{customer}/consents/", "mia"),
    Page("customer-mail", "/customers/{customer}/mail/", "ana"),
    Page("outgoing", "/outgoing/{outgoing}/", "ana"),
    Page("knowledge", "/knowledge/", "ana"),
    Page("answer-new", "/knowledge/answers/new/", "ana"),
    Page("segments", "/segments/", "mia"),
    Page("segment-new", "/segments/new/", "mia"),
    Page("campaigns", "/outreach/", "mia"),
    Page("campaign", "/outreach/campaigns/{campaign}/", "mia"),
    Page("campaign-edit", "/outreach/campaigns/{campaign}/edit/", "mia"),
    Page("campaign-new", "/outreach/campaigns/new/", "mia"),
    Page("campaign-who", "/outreach/campaigns/{campaign}/who/", "mia"),
    Page("guards", "/outreach/guards/", "mia"),
    Page("people", "/people/", "omar"),
    Page("person-new", "/people/new/", "omar"),
    Page("teams", "/teams/", "omar"),
    Page("team-new", "/teams/new/", "omar"),
    Page("skills", "/skills/", "omar"),
    Page("skill-new", "/skills/new/", "omar"),
    Page("who", "/who/", "mia"),
    Page("who-team", "/who/teams/{team}/", "mia"),
    Page("who-person", "/who/{person}/", "omar"),
    Page("tokens", "/tokens/", "omar"),
    Page("token-new", "/tokens/new/", "omar"),
    Page("mailboxes", "/mailboxes/", "omar"),
    Page("mailbox-new", "/mailboxes/new/", "omar"),
    Page("fields", "/fields/", "omar"),
    Page("field-new", "/fields/new/", "omar"),
    Page("subscriptions", "/subscriptions/", "omar"),
    Page("subscription-new", "/subscriptions/new/", "omar"),
    Page("audit", "/audit/", "omar"),
    Page("operations", "/operations/", "omar"),
    Page("ignored", "/operations/mail/ignored/", "omar"),
]
NAMED = {page.name: page for page in PAGES}
