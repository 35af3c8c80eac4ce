"""How static files are named and served: hashed names, also inside ES modules, and compressed copies."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class Assets(CompressedManifestStaticFilesStorage):
    """Rewrites `import "./x.js"` to the hashed name, so that every file may be cached for ever and none goes stale.

    Before the first collectstatic, as in a test, there are no hashed names and pages name the plain ones; once there is
    a manifest, a file missing from it is an error.
    """

    support_js_module_import_aggregation = True

    def stored_name(self, name: str) -> str:
        return super().stored_name(name) if self.hashed_files else name
