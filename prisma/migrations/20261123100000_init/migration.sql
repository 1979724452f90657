-- CreateSchema
CREATE SCHEMA IF NOT EXISTS "public";

-- CreateTable
CREATE TABLE "cluster" (
    "id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'new',
    "spec_version" INTEGER NOT NULL,
    "initialized" BOOLEAN NOT NULL DEFAULT false,
    "kubeconfig" TEXT,
    "deleted_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "cluster_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "cluster_spec" (
    "cluster_id" UUID NOT NULL,
    "version" INTEGER NOT NULL,
    "spec" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "by" TEXT NOT NULL,

    CONSTRAINT "cluster_spec_pkey" PRIMARY KEY ("cluster_id","version")
);

-- CreateTable
CREATE TABLE "node" (
    "id" UUID NOT NULL,
    "cluster_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "role" TEXT NOT NULL,
    "address" TEXT,
    "state" TEXT NOT NULL DEFAULT 'planned',
    "cert_serial" TEXT,
    "epoch" INTEGER NOT NULL DEFAULT 0,
    "machine_id" TEXT,
    "host_keys" TEXT[],
    "agent_version" TEXT,
    "facts" JSONB,
    "facts_digest" TEXT,
    "skew_ms" INTEGER,
    "ssh_secrets" TEXT,
    "last_seen_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "node_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "run" (
    "id" UUID NOT NULL,
    "cluster_id" UUID NOT NULL,
    "intent" JSONB NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'checking',
    "result" TEXT,
    "because" TEXT NOT NULL DEFAULT '',
    "epoch" INTEGER NOT NULL,
    "spec_version" INTEGER NOT NULL,
    "plan_seal" TEXT,
    "summary" JSONB,
    "started_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "ended_at" TIMESTAMPTZ(3),

    CONSTRAINT "run_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "run_event" (
    "run_id" UUID NOT NULL,
    "seq" INTEGER NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "kind" TEXT NOT NULL,
    "step_key" TEXT,
    "epoch" INTEGER,
    "attempt" INTEGER,
    "node" TEXT,
    "body" JSONB NOT NULL,

    CONSTRAINT "run_event_pkey" PRIMARY KEY ("run_id","seq")
);

-- CreateTable
CREATE TABLE "outbox" (
    "order_id" TEXT NOT NULL,
    "attempt" INTEGER NOT NULL,
    "epoch" INTEGER NOT NULL,
    "run_id" UUID NOT NULL,
    "cluster_id" UUID NOT NULL,
    "step_key" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "target" TEXT NOT NULL,
    "node" TEXT,
    "relayed" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "outbox_pkey" PRIMARY KEY ("order_id","attempt","epoch")
);

-- CreateTable
CREATE TABLE "cluster_lease" (
    "cluster_id" UUID NOT NULL,
    "run_id" UUID NOT NULL,
    "epoch" INTEGER NOT NULL,
    "taken_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "cluster_lease_pkey" PRIMARY KEY ("cluster_id")
);

-- CreateTable
CREATE TABLE "epoch" (
    "name" TEXT NOT NULL,
    "value" INTEGER NOT NULL,

    CONSTRAINT "epoch_pkey" PRIMARY KEY ("name")
);

-- CreateTable
CREATE TABLE "enroll_token" (
    "hash" TEXT NOT NULL,
    "cluster_id" UUID NOT NULL,
    "node_id" UUID NOT NULL,
    "role" TEXT NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "used_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "enroll_token_pkey" PRIMARY KEY ("hash")
);

-- CreateTable
CREATE TABLE "api_token" (
    "hash" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "role" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "revoked_at" TIMESTAMPTZ(3),

    CONSTRAINT "api_token_pkey" PRIMARY KEY ("hash")
);

-- CreateTable
CREATE TABLE "audit" (
    "id" BIGSERIAL NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "by" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "object" TEXT NOT NULL,
    "body" JSONB NOT NULL,

    CONSTRAINT "audit_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "idempotency_key" (
    "key" TEXT NOT NULL,
    "route" TEXT NOT NULL,
    "body_hash" TEXT NOT NULL,
    "status" INTEGER NOT NULL DEFAULT 0,
    "response" JSONB,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "idempotency_key_pkey" PRIMARY KEY ("route","key")
);

-- CreateTable
CREATE TABLE "log_line" (
    "run_id" UUID NOT NULL,
    "id" BIGSERIAL NOT NULL,
    "step_key" TEXT NOT NULL,
    "attempt" INTEGER NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "stream" TEXT NOT NULL,
    "text" TEXT NOT NULL,

    CONSTRAINT "log_line_pkey" PRIMARY KEY ("run_id","id")
);

-- CreateTable
CREATE TABLE "minted_token" (
    "order_id" TEXT NOT NULL,
    "attempt" INTEGER NOT NULL,
    "cluster_id" UUID NOT NULL,
    "node" TEXT NOT NULL,
    "token_id" TEXT NOT NULL,
    "value" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "minted_token_pkey" PRIMARY KEY ("order_id","attempt")
);

-- CreateIndex
CREATE INDEX "node_cluster_id_name_idx" ON "node"("cluster_id", "name");

-- CreateIndex
CREATE INDEX "run_cluster_id_started_at_idx" ON "run"("cluster_id", "started_at");

-- CreateIndex
CREATE INDEX "outbox_run_id_idx" ON "outbox"("run_id");

-- CreateIndex
CREATE INDEX "log_line_run_id_step_key_id_idx" ON "log_line"("run_id", "step_key", "id");

-- AddForeignKey
ALTER TABLE "cluster_spec" ADD CONSTRAINT "cluster_spec_cluster_id_fkey" FOREIGN KEY ("cluster_id") REFERENCES "cluster"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "node" ADD CONSTRAINT "node_cluster_id_fkey" FOREIGN KEY ("cluster_id") REFERENCES "cluster"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "run" ADD CONSTRAINT "run_cluster_id_fkey" FOREIGN KEY ("cluster_id") REFERENCES "cluster"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "run_event" ADD CONSTRAINT "run_event_run_id_fkey" FOREIGN KEY ("run_id") REFERENCES "run"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "cluster_lease" ADD CONSTRAINT "cluster_lease_cluster_id_fkey" FOREIGN KEY ("cluster_id") REFERENCES "cluster"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- What Prisma's schema cannot say.

-- A name belongs to one live cluster, and to one live node of a cluster.
CREATE UNIQUE INDEX "cluster_live_name_key" ON "cluster"("name") WHERE "deleted_at" IS NULL;
CREATE UNIQUE INDEX "node_live_name_key" ON "node"("cluster_id", "name") WHERE "state" <> 'removed';
-- Runs to go on with after a restart, and rows that the relay has to look at.
CREATE INDEX "run_open_idx" ON "run"("started_at") WHERE "state" <> 'ended';
CREATE INDEX "outbox_relayed_idx" ON "outbox"("relayed", "created_at");

-- The ledger and the audit trail are append-only.
CREATE FUNCTION "refuse_change"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER "run_event_append_only" BEFORE UPDATE OR DELETE ON "run_event" FOR EACH ROW EXECUTE FUNCTION "refuse_change"();
CREATE TRIGGER "run_event_no_truncate" BEFORE TRUNCATE ON "run_event" FOR EACH STATEMENT EXECUTE FUNCTION "refuse_change"();
CREATE TRIGGER "audit_append_only" BEFORE UPDATE OR DELETE ON "audit" FOR EACH ROW EXECUTE FUNCTION "refuse_change"();
CREATE TRIGGER "audit_no_truncate" BEFORE TRUNCATE ON "audit" FOR EACH STATEMENT EXECUTE FUNCTION "refuse_change"();
