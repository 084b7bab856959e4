"""What people do in outbox, followed: pictures moved, renamed, deleted, starred and tagged by whatever program."""
