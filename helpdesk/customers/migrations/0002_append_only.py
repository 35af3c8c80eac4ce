"""The database itself keeps consent and timeline append-only; rows go only with an erasure or when they expire."""

from django.db import migrations

KEEP = """
CREATE FUNCTION customers_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- `append_only.erasing()` sets this for one transaction; nothing sets it for a session.
    IF TG_OP = 'DELETE' AND current_setting('twofold.erasing', true) = 'on' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER consent_append_only BEFORE UPDATE OR DELETE ON customers_consent
    FOR EACH ROW EXECUTE FUNCTION customers_append_only();
CREATE TRIGGER event_append_only BEFORE UPDATE OR DELETE ON customers_event
    FOR EACH ROW EXECUTE FUNCTION customers_append_only();
CREATE TRIGGER consent_no_truncate BEFORE TRUNCATE ON customers_consent
    FOR EACH STATEMENT EXECUTE FUNCTION customers_append_only();
CREATE TRIGGER event_no_truncate BEFORE TRUNCATE ON customers_event
    FOR EACH STATEMENT EXECUTE FUNCTION customers_append_only();
"""
UNDO = """
DROP TRIGGER consent_append_only ON customers_consent;
DROP TRIGGER event_append_only ON customers_event;
DROP TRIGGER consent_no_truncate ON customers_consent;
DROP TRIGGER event_no_truncate ON customers_event;
DROP FUNCTION customers_append_only();
"""


class Migration(migrations.Migration):
    dependencies = [("customers", "0001_kernel")]
    operations = [migrations.RunSQL(KEEP, UNDO)]
