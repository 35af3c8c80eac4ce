"""Every setting of Twofold, from the environment; the tables at the end say who hears, guards and shows what."""

import json
from email.utils import parseaddr
from pathlib import Path

import environ
import structlog
from csp.constants import NONE, SELF
from django.conf import global_settings
from django.utils.translation import gettext_lazy as _

from helpdesk.embedded import defaults

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

DATA_DIR = Path(env.str("TWOFOLD_DATA", default=str(BASE_DIR / "var"))).resolve()
DEBUG = env.bool("DEBUG", default=False)
BASE_URL = env.str("BASE_URL", default=f"http://localhost:{env.int('TWOFOLD_PORT', default=8000)}").rstrip("/")
LOOPBACK = BASE_URL.split("//")[-1].split(":")[0] in {"localhost", "127.0.0.1"}
SECRET_KEY = env.str("SECRET_KEY", default="") or defaults.secret_key(DATA_DIR)
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
TOKEN_KEYS = env.list("TOKEN_KEYS", default=[SECRET_KEY, *SECRET_KEY_FALLBACKS])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[BASE_URL.split("//")[-1].split(":")[0], "localhost", "127.0.0.1"])
CSRF_TRUSTED_ORIGINS = [BASE_URL]
WORKSPACE_NAME = env.str("WORKSPACE_NAME", default="Twofold")
POSTAL_ADDRESS = env.str("POSTAL_ADDRESS", default="")
MAX_EVENT_AGE_HOURS = env.int("MAX_EVENT_AGE_HOURS", default=24)  # an event older than this when it arrives triggers nothing
STYLEGUIDE = env.bool("STYLEGUIDE", default=DEBUG or LOOPBACK)

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.forms",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "csp",
    "django_structlog",
    "helpdesk",
    "helpdesk.files",
    "helpdesk.live",
    "helpdesk.accounts",
    "helpdesk.customers",
    "helpdesk.mail",
    "helpdesk.knowledge",
    "helpdesk.incidents",
    "tickets",
    "outreach",
    "helpdesk.demo",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "helpdesk.accounts.middleware.ReadersZone",
    "helpdesk.accounts.middleware.RequireSecondFactor",
    "django_htmx.middleware.HtmxMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "helpdesk.customers.definitions.once_a_request",
]

ROOT_URLCONF = "helpdesk.urls"
WSGI_APPLICATION = "helpdesk.asgi.pages"
ASGI_APPLICATION = "helpdesk.asgi.application"
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["django.templatetags.i18n", "helpdesk.templatetags.look"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# --- where things are kept -------------------------------------------------------------------------------------------

DATABASES = {
    "default": {
        **env.db_url("DATABASE_URL", default=defaults.database_url(DATA_DIR)),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }
}
DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 5)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = env.str("REDIS_URL", default=defaults.redis_url(DATA_DIR))
# Files are in the data folder, or in a bucket of S3 or of something that speaks its protocol. Nobody is sent there:
# everything is read by us and given out by views that ask who may have it.
FILES_IN_FOLDER = {
    "BACKEND": "django.core.files.storage.FileSystemStorage",
    "OPTIONS": {"location": str(DATA_DIR / "files"), "allow_overwrite": True},  # keys are random; a preview is drawn again
}
FILES_IN_BUCKET = {
    "BACKEND": "storages.backends.s3.S3Storage",
    "OPTIONS": {
        "bucket_name": env.str("FILES_S3_BUCKET", default=""),
        "endpoint_url": env.str("FILES_S3_ENDPOINT", default="") or None,
        "region_name": env.str("FILES_S3_REGION", default="") or None,
        "access_key": env.str("FILES_S3_KEY", default="") or None,  # without one, as boto3 finds it: a role, a profile
        "secret_key": env.str("FILES_S3_SECRET", default="") or None,
        "location": env.str("FILES_S3_PREFIX", default=""),
        "addressing_style": env.str("FILES_S3_ADDRESSING", default="") or None,  # "path" for servers without a name per bucket
        "default_acl": None,
        "file_overwrite": True,
    },
}
STORAGES = {
    "default": FILES_IN_BUCKET if env.str("FILES_S3_BUCKET", default="") else FILES_IN_FOLDER,
    "staticfiles": {"BACKEND": "helpdesk.assets.Assets"},
}
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
WHITENOISE_USE_FINDERS = DEBUG
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_500_000
FILE_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
MAX_ATTACHMENT_BYTES = env.int("MAX_ATTACHMENT_BYTES", default=20_000_000)
MAX_ATTACHMENTS = 10
ANTIVIRUS = env.str("ANTIVIRUS", default="")  # clamd://host:3310 or clamd:///run/clamav/clamd.ctl
UNDO_SEND = env.int("UNDO_SEND", default=8)  # seconds in which a reply can be taken back
CALENDAR_PORTS = [int(port) for port in env.list("CALENDAR_PORTS", default=["80", "443"])]  # at which feeds of holidays may be
CALENDAR_PRIVATE_HOSTS = env.list("CALENDAR_PRIVATE_HOSTS", default=[])  # hosts and networks that may although not public
VALUE_FIELD = env.str("VALUE_FIELD", default="")  # the attribute of customers or companies that says what they are worth
VALUE_HIGH = env.list("VALUE_HIGH", default=[])  # its values that are much: words, or a number that it is to reach
CLOSE_AFTER_DAYS = env.int("CLOSE_AFTER_DAYS", default=28)  # a ticket solved this long is closed

# --- people ----------------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
SILENCED_SYSTEM_CHECKS = ["auth.W004"]  # unique by Lower("email"), which the check cannot see
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "helpdesk.accounts.adapter.StaffAdapter"
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_PREVENT_ENUMERATION = True
MFA_ALLOW_UNVERIFIED_EMAIL = True  # people are added by an admin, who knows whose address it is
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 14 * 24 * 3600
SECURE_COOKIES = BASE_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_COOKIES
SESSION_COOKIE_NAME = "__Host-session" if SECURE_COOKIES else "session"
CSRF_COOKIE_NAME = "__Host-csrf" if SECURE_COOKIES else "csrf"
CSRF_COOKIE_HTTPONLY = True

# --- the browser's side ----------------------------------------------------------------------------------------------

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-src": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "object-src": [NONE],
        "manifest-src": [SELF],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_SSL_REDIRECT = SECURE_COOKIES and env.bool("SSL_REDIRECT", default=True)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_PROXY", default=False) else None
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if SECURE_COOKIES else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE_COOKIES
SECURE_REFERRER_POLICY = "same-origin"

LANGUAGE_CODE = env.str("LANGUAGE_CODE", default="en")
LANGUAGES = [("en", _("English"))]  # of our pages: one joins with its catalogue
SPOKEN_LANGUAGES = global_settings.LANGUAGES  # of customers and answers; letters write dates and numbers their way
TIME_ZONE = env.str("TIME_ZONE", default="UTC")  # the workspace's zone: the last in the chain customer, company, workspace
USE_TZ = True

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["helpdesk.accounts.tokens.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["helpdesk.accounts.tokens.Denied"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["helpdesk.accounts.bodies.JSONBody"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Twofold API",
    "VERSION": "1",
    "ENUM_NAME_OVERRIDES": {"TicketStatusEnum": "tickets.models.terms.Status"},
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
}

# --- mail ------------------------------------------------------------------------------------------------------------

MAIL_DOMAIN = env.str("MAIL_DOMAIN", default=BASE_URL.split("//")[-1].split(":")[0])
BOUNCE_ADDRESS = env.str("BOUNCE_ADDRESS", default=f"bounce@{MAIL_DOMAIN}")
# smtp://user:password@host:587/?tls=starttls (or tls=implicit; auth=oauth2: user is the address of a mailbox that signed in
# at its provider), or for trying things: file, a folder below the data folder, or console
MAIL_TRANSPORT = env.str("MAIL_TRANSPORT", default="file")
MAIL_SENDER_STAMP = env.int("MAIL_SENDER_STAMP", default=20)  # messages a campaign stamp hands over; replies go one by one
MAIL_SMTP_TIMEOUT = env.int("MAIL_SMTP_TIMEOUT", default=30)  # seconds, for one whole hand-over
MAIL_MAX_BYTES = env.int("MAIL_MAX_BYTES", default=30_000_000)
MAIL_POLL = env.int("MAIL_POLL", default=20)  # seconds between two looks into a mailbox whose server does not ring (IDLE)
# The names under which our own mail server writes Authentication-Results (RFC 8601); none: nobody is known to be who they say.
TRUSTED_AUTHSERV = env.list("TRUSTED_AUTHSERV", default=[])
# Headers of our own mail server whose "Yes" means spam (X-Spam-Flag, X-Spam-Status, X-Spam); anybody else can write them too.
SPAM_HEADERS = env.list("SPAM_HEADERS", default=[])
# Where mailboxes may be: other ports, and hosts or networks (10.0.0.0/8) that are not public, only by the operator's word.
MAIL_PORTS = [int(port) for port in env.list("MAIL_PORTS", default=["143", "993"])]
MAIL_PRIVATE_HOSTS = env.list("MAIL_PRIVATE_HOSTS", default=[])
# Mailboxes by OAuth2: an app registered at the provider. What `authorize` and `token` name, the operator trusts.
MICROSOFT_LOGIN = env.str("MICROSOFT_LOGIN", default="https://login.microsoftonline.com")
MICROSOFT_LOGIN += f"/{env.str('MICROSOFT_TENANT', default='common')}/oauth2/v2.0"
MAIL_SIGN_IN = {
    "microsoft": {
        "name": "Microsoft",
        "client_id": env.str("MICROSOFT_CLIENT_ID", default=""),
        "client_secret": env.str("MICROSOFT_CLIENT_SECRET", default=""),
        "authorize": f"{MICROSOFT_LOGIN}/authorize",
        "token": f"{MICROSOFT_LOGIN}/token",
        "scope": "https://outlook.office.com/IMAP.AccessAsUser.All https://outlook.office.com/SMTP.Send offline_access",
        "ask": {"prompt": "select_account"},
        "imap_host": env.str("MICROSOFT_IMAP", default="outlook.office365.com"),
        "imap_port": 993,
    },
    "google": {
        "name": "Google",
        "client_id": env.str("GOOGLE_CLIENT_ID", default=""),
        "client_secret": env.str("GOOGLE_CLIENT_SECRET", default=""),
        "authorize": "https://accounts.google.com/o/oauth2/v2/auth",
        "token": "https://oauth2.googleapis.com/token",
        "scope": "https://mail.google.com/",
        "ask": {"access_type": "offline", "prompt": "consent select_account"},
        "imap_host": "imap.gmail.com",
        "imap_port": 993,
    },
}
SMTP_LISTEN_HOST = env.str("TWOFOLD_HOST", default="127.0.0.1")
SMTP_LISTEN_PORT = env.int("TWOFOLD_SMTP_PORT", default=2525)
SMTP_CERTIFICATE = env.str("SMTP_CERTIFICATE", default="")  # a PEM file: the listener then offers STARTTLS
SMTP_CERTIFICATE_KEY = env.str("SMTP_CERTIFICATE_KEY", default="")
SMTP_REQUIRE_TLS = env.bool("SMTP_REQUIRE_TLS", default=False)  # no mail over a connection that is not encrypted
# What django-anymail reads: ANYMAIL_MAILGUN_API_KEY and its like, as they stand; JSON for what is no text.
ANYMAIL = {
    name.removeprefix("ANYMAIL_"): json.loads(value) if value.startswith(("{", "[")) or value in ("true", "false") else value
    for name, value in env.ENVIRON.items()
    if name.startswith("ANYMAIL_")
}
ANYMAIL["WEBHOOK_SECRET"] = env.list("ANYMAIL_WEBHOOK_SECRET", default=[])  # user:password; several while one is replaced
DKIM_DOMAIN = env.str("DKIM_DOMAIN", default="")
DKIM_SELECTOR = env.str("DKIM_SELECTOR", default="twofold")
DKIM_KEY_FILE = env.str("DKIM_KEY_FILE", default="")
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default=f"{WORKSPACE_NAME} <support@{MAIL_DOMAIN}>")
DEFAULT_FROM_ADDRESS = parseaddr(DEFAULT_FROM_EMAIL)[1]
EMAIL_BACKEND = "helpdesk.mail.backend.OutboxBackend"  # sign-in mail leaves by the same ledger as everything else

# Other tools that we tell by webhook: other ports, and hosts or networks that are not public, only by the operator's word.
WEBHOOK_PORTS = [int(port) for port in env.list("WEBHOOK_PORTS", default=["80", "443"])]
WEBHOOK_PRIVATE_HOSTS = env.list("WEBHOOK_PRIVATE_HOSTS", default=[])

# --- work ------------------------------------------------------------------------------------------------------------

CELERY_BROKER_URL = defaults.celery_url(REDIS_URL)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600, "socket_timeout": 10, "socket_connect_timeout": 2}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_TASK_DEFAULT_QUEUE = "maintenance"
WORK_QUEUES = ("replies", "campaigns", "ingest", "maintenance")
CELERY_TASK_ROUTES = {
    "outreach.tasks.advance": {"queue": "campaigns"},
    "helpdesk.mail.tasks.send_replies": {"queue": "replies"},
    "helpdesk.mail.tasks.send_campaigns": {"queue": "campaigns"},
    "tickets.tasks.hand_out": {"queue": "ingest"},
    "helpdesk.mail.tasks.process_incoming": {"queue": "ingest"},
    "helpdesk.mail.tasks.fetch_mailboxes": {"queue": "ingest"},
    "helpdesk.customers.tasks.dispatch": {"queue": "ingest"},
    "tickets.tasks.meet_rules": {"queue": "ingest"},
}
EXTERNAL_EVENT_DAYS = env.int("EXTERNAL_EVENT_DAYS", default=400)
BELL = env.bool("TWOFOLD_BELL", default=True)  # off where no worker listens, as in the tests
# Every entry only says "look at the database"; it expires before the next, so that a stopped worker finds no pile.
CELERY_BEAT_SCHEDULE = {
    "dispatch": {"task": "helpdesk.customers.tasks.dispatch", "schedule": 5, "options": {"expires": 5}},
    "send-replies": {"task": "helpdesk.mail.tasks.send_replies", "schedule": 5, "options": {"expires": 5}},
    "send-campaigns": {"task": "helpdesk.mail.tasks.send_campaigns", "schedule": 5, "options": {"expires": 5}},
    "incoming": {"task": "helpdesk.mail.tasks.process_incoming", "schedule": 5, "options": {"expires": 5}},
    "mailboxes": {"task": "helpdesk.mail.tasks.fetch_mailboxes", "schedule": 20, "options": {"expires": 20}},
    "rules": {"task": "tickets.tasks.meet_rules", "schedule": 5, "options": {"expires": 5}},
    "escalations": {"task": "tickets.tasks.escalate", "schedule": 15, "options": {"expires": 15}},
    "webhooks": {"task": "helpdesk.mail.tasks.send_webhooks", "schedule": 5, "options": {"expires": 5}},
    "enrolments": {"task": "outreach.tasks.advance", "schedule": 5, "options": {"expires": 5}},
    **{
        f"heartbeat-{queue}": {
            "task": "helpdesk.live.tasks.heartbeat",
            "schedule": 5,
            "kwargs": {"queue": queue},
            "options": {"expires": 5, "queue": queue},
        }
        for queue in WORK_QUEUES
    },
    "holidays": {"task": "helpdesk.accounts.tasks.refresh_holidays", "schedule": 300, "options": {"expires": 300}},
    "scan-files": {"task": "tickets.tasks.scan_files", "schedule": 60, "options": {"expires": 60}},
    "clocks": {"task": "tickets.tasks.run_clocks", "schedule": 5, "options": {"expires": 5}},
    "recount-clocks": {"task": "tickets.tasks.recount_clocks", "schedule": 5, "options": {"expires": 5}},
    "hand-out": {"task": "tickets.tasks.hand_out", "schedule": 10, "options": {"expires": 10}},
    "suggest": {"task": "tickets.tasks.suggest", "schedule": 5, "options": {"expires": 5}},
    "learn": {"task": "tickets.tasks.learn", "schedule": 60, "options": {"expires": 60}},
    "close-solved": {"task": "tickets.tasks.close_solved", "schedule": 600, "options": {"expires": 300}},
    "tidy-webhooks": {"task": "helpdesk.mail.tasks.tidy_webhooks", "schedule": 3600, "options": {"expires": 600}},
    "tidy-rules": {"task": "tickets.tasks.tidy_rules", "schedule": 3600, "options": {"expires": 600}},
    "tidy": {"task": "helpdesk.customers.tasks.tidy", "schedule": 3600, "options": {"expires": 600}},
}

LOGGING_CONFIG = "helpdesk.logs.configure"
LOGGING = {"level": env.str("LOG_LEVEL", default="INFO").upper(), "json": env.bool("LOG_JSON", default=False)}
log = structlog.get_logger

# --- how the rooms meet: dotted strings, every one imported by a check at start-up ----------------------------------

# event kind → functions that take a batch of events, write rows and touch no network. "*external*": all from outside.
EVENT_SUBSCRIBERS: dict[str, list[str]] = {
    "*external*": ["outreach.triggers.on_events"],
    "ticket.opened": [
        "outreach.triggers.on_events",
        "outreach.triggers.on_replied",
        "tickets.triage.on_opened",
        "tickets.rules.on_events",
        "tickets.priority.on_events",
        "tickets.assignment.on_ticket",
    ],
    "ticket.replied": ["outreach.triggers.on_events", "tickets.clocks.on_ticket_events", "tickets.rules.on_events"],
    "ticket.message_received": [
        "outreach.triggers.on_events",
        "tickets.clocks.on_ticket_events",
        "tickets.rules.on_events",
        "tickets.priority.on_events",
        "tickets.assignment.on_ticket",
    ],
    "ticket.noted": ["tickets.rules.on_events"],
    "ticket.forwarded": ["tickets.rules.on_events"],
    "ticket.assigned": ["tickets.clocks.on_ticket_events", "tickets.rules.on_events", "tickets.assignment.on_ticket"],
    "ticket.status_changed": ["tickets.clocks.on_ticket_events", "tickets.rules.on_events", "tickets.assignment.on_ticket"],
    "ticket.reopened": [
        "outreach.triggers.on_events",
        "tickets.clocks.on_ticket_events",
        "tickets.rules.on_events",
        "tickets.assignment.on_ticket",
    ],
    "ticket.solved": [
        "outreach.triggers.on_events",
        "outreach.triggers.release_holds",
        "tickets.clocks.on_ticket_events",
        "tickets.triage.on_solved",
        "tickets.rules.on_events",
        "tickets.assignment.on_ticket",
    ],
    "ticket.triaged": [],
    "ticket.updated": [
        "tickets.clocks.on_ticket_events",
        "tickets.rules.on_events",
        "tickets.priority.on_events",
        "tickets.assignment.on_ticket",
    ],
    "ticket.closed": [
        "outreach.triggers.release_holds",
        "tickets.clocks.on_ticket_events",
        "tickets.rules.on_events",
        "tickets.assignment.on_ticket",
    ],
    "ticket.unsent": ["tickets.clocks.on_ticket_events", "tickets.rules.on_events"],
    "ticket.marked_spam": ["outreach.triggers.release_holds", "tickets.clocks.on_ticket_events", "tickets.assignment.on_ticket"],
    "ticket.cleared_of_spam": [
        "tickets.clocks.on_ticket_events",
        "tickets.rules.on_events",
        "tickets.assignment.on_ticket",
    ],
    "ticket.due_soon": ["tickets.rules.on_events", "tickets.priority.on_events"],
    "ticket.breached": ["tickets.rules.on_events", "tickets.priority.on_events"],
    "ticket.auto_replied": [],
    "ticket.escalated": ["tickets.rules.on_events"],
    "ticket.requested": ["tickets.intake.on_ticket_requested"],
    "play.requested": ["outreach.triggers.on_events"],
    "incident.opened": ["tickets.priority.on_incident"],
    "incident.changed": ["tickets.priority.on_incident"],
    "incident.reopened": ["tickets.priority.on_incident"],
    "incident.spreads": ["tickets.priority.on_incident"],
    "incident.resolved": [],
    "customer.created": ["outreach.triggers.on_events"],
    "customer.updated": [],
    "consent.given": [],
    "consent.withdrawn": ["outreach.triggers.on_consent_withdrawn"],
    "address.unreachable": [],
    "address.reachable": [],
    "address.suppressed": [],
    "address.released": [],
    "mail.sent": ["outreach.triggers.on_sent"],
    "mail.failed": ["outreach.triggers.on_sent", "tickets.returns.on_undelivered"],
    "mail.unknown": ["outreach.triggers.on_sent", "tickets.returns.on_undelivered"],
    "mail.withheld": ["outreach.triggers.on_sent", "tickets.returns.on_undelivered"],
    "mail.held": [],
    "mail.released": [],
    "mail.resent": [],
    "mail.cancelled": ["outreach.triggers.on_sent"],
    "mail.bounced": ["outreach.triggers.on_bounced", "tickets.returns.on_undelivered"],
    "mail.complained": [],
    "mail.refused": ["outreach.refusals.on_refused"],
    "campaign.enrolled": [],
    "campaign.finished": [],
    "campaign.replied": [],
}

# kind of outgoing message → the half that decides and writes it; both take a batch of Outgoing rows
OUTBOX: dict[str, dict[str, str]] = {
    "ticket.reply": {"guard": "tickets.letters.guard", "render": "tickets.letters.render"},
    "ticket.forward": {"guard": "tickets.forwards.guard", "render": "tickets.forwards.render"},
    "ticket.confirmation": {"guard": "tickets.letters.guard_confirmation", "render": "tickets.letters.render_confirmation"},
    "campaign.message": {"guard": "outreach.guards.ask", "render": "outreach.messages.render"},
    "account.mail": {"guard": "helpdesk.mail.backend.guard", "render": "helpdesk.mail.backend.render"},
}

# what a hold may wait for beside a time, a person and release_for: first word of its name → function(names) → those that
# still hold. The planner asks about the few names there are, so whoever ends such a hold moves no message.
HOLDS = {"switch": "helpdesk.mail.planner.switched_off", "campaign": "outreach.guards.paused"}

# where a read mail goes that is no bounce
MAIL_HANDLER = "tickets.intake.receive_mail"

# modules that register typed fields of the condition language
CONDITION_FIELDS = ["helpdesk.customers.fields", "tickets.fields", "tickets.clocks.fields", "outreach.fields"]

# what a custom field of the type lookup may point to: function(ids) → {id: name} of those that are there, and
# function(text) → the few that a person may mean
LOOKUPS = {
    noun: {"names": f"{room}.{several}", "find": f"{room}.find_{several}"}
    for noun, room, several in (
        ("customer", "helpdesk.customers.lookups", "customers"),
        ("company", "helpdesk.customers.lookups", "companies"),
        ("user", "helpdesk.customers.lookups", "people"),
        ("ticket", "tickets.lookups", "tickets"),
    )
}

# what the customer's page shows, in this order: function(customer, request) → {"template", ...context} or None
PANELS = ["helpdesk.mail.panels.customer_ledger", "tickets.panels.customer_tickets", "outreach.panels.customer_outreach"]

# what a topic's page shows: function(ids of the topic and of all below it, request) → {"template", ...context} or None
TOPIC_PANELS = ["tickets.panels.topic_numbers"]

# what a rule may start for a customer: a model whose manager's ``startable()`` are offered, by id and name
PLAYS = "outreach.Campaign"

# the rail: function(request) → entries
RAIL = {
    "places": [
        "tickets.rail.places",
        "outreach.rail.places",
        "helpdesk.customers.rail.places",
        "helpdesk.incidents.rail.places",
        "helpdesk.knowledge.rail.places",
        "tickets.rail.teams",
        "helpdesk.accounts.rail.places",
    ],
    "views": "tickets.rail.views",
    "views_page": "views",
}

# what the palette finds beside the page's own places and actions: function(request, text, most) → entries
PALETTE = [
    "helpdesk.accounts.sections.found",
    "tickets.palette.found",
    "helpdesk.customers.palette.found",
    "outreach.palette.found",
    "helpdesk.knowledge.palette.found",
]

# all that is kept about a customer, for export and erasure: function(customer id) → {table: rows}, nothing unbounded in memory
PERSONAL_DATA = [
    "helpdesk.customers.personal.data",
    "helpdesk.mail.personal.data",
    "tickets.personal.data",
    "outreach.personal.data",
]

# what names something that is to be removed: function(the thing) → helpdesk.accounts.removal.Use, each room telling its own
USES = [
    "helpdesk.accounts.uses.uses",
    "helpdesk.mail.uses.uses",
    "tickets.uses.uses",
    "outreach.uses.uses",
    "helpdesk.customers.uses.uses",
    "helpdesk.incidents.uses.uses",
    "helpdesk.knowledge.uses.uses",
]

# what must not wait beside mail and events: name → function() → its figures, of which oldest_waiting_seconds is asked by /healthz
HEALTH = {"rules": "tickets.rules.health", "clocks": "tickets.clocks.health"}

# who goes by calendars: function(ids of calendars), in the transaction that changes their hours
CALENDAR_CHANGED = ["tickets.clocks.on_calendar_changed", "tickets.rules.timers.on_calendar_changed"]
# who looks at the database when somebody comes back: a task
PRESENCE_BELL = "tickets.tasks.hand_out"

# what a browser may follow: prefix of a stream's name → function(user, id) → bool
LIVE_CHANNELS = {"inbox": "tickets.access.may_follow_inbox", "ticket": "tickets.access.may_follow_ticket"}
