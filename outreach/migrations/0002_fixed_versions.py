"""The database itself keeps a launched version as it was launched."""

from django.db import migrations

KEEP = """
CREATE FUNCTION outreach_version_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- who wrote or launched it may leave the company; everything else stays
    IF OLD.launched_at IS NOT NULL
       AND to_jsonb(OLD) - 'created_by_id' - 'launched_by_id' <> to_jsonb(NEW) - 'created_by_id' - 'launched_by_id' THEN
        RAISE EXCEPTION 'version % is launched and never changes', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER version_fixed BEFORE UPDATE ON outreach_version FOR EACH ROW EXECUTE FUNCTION outreach_version_fixed();
"""
UNDO = "DROP TRIGGER version_fixed ON outreach_version; DROP FUNCTION outreach_version_fixed();"


class Migration(migrations.Migration):
    dependencies = [("outreach", "0001_campaigns")]
    operations = [migrations.RunSQL(KEEP, UNDO)]
