-- Whose bundle files are taken, and which were.
-- CreateTable
CREATE TABLE "bundle_signer" (
    "fingerprint" TEXT NOT NULL,
    "by" TEXT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "bundle_signer_pkey" PRIMARY KEY ("fingerprint")
);

-- CreateTable
CREATE TABLE "bundle_file" (
    "name" TEXT NOT NULL,
    "version" TEXT NOT NULL,
    "digest" TEXT NOT NULL,
    "signer" TEXT NOT NULL,
    "summary" JSONB NOT NULL,
    "by" TEXT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "bundle_file_pkey" PRIMARY KEY ("name","version")
);
