"""How static files are named and served: hashed names, also inside ES modules, and compressed copies."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class Assets(CompressedManifestStaticFilesStorage):
    """Rewrites `import "./x.js"` to the hashed name, so that every file may be cached for ever and none goes stale."""

    support_js_module_import_aggregation = True
