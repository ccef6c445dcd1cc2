-- Runs once, when the volume is new. The program's role owns its database and no more than that; the superuser can
-- then be reached from inside the container only: docker compose exec postgres psql -U postgres
\getenv password POSTGRES_PASSWORD
CREATE ROLE microchat LOGIN PASSWORD :'password';
CREATE DATABASE microchat OWNER microchat;
ALTER ROLE postgres PASSWORD NULL;
