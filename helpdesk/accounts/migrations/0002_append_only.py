"""The database itself refuses to change, delete or truncate the audit log. There is no way round it short of its owner."""

from django.db import migrations

KEEP = """
CREATE FUNCTION accounts_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON accounts_auditentry
    FOR EACH ROW EXECUTE FUNCTION accounts_append_only();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON accounts_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION accounts_append_only();
"""
UNDO = """
DROP TRIGGER audit_append_only ON accounts_auditentry;
DROP TRIGGER audit_no_truncate ON accounts_auditentry;
DROP FUNCTION accounts_append_only();
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_kernel")]
    operations = [migrations.RunSQL(KEEP, UNDO)]
