-- Every line of the ledger carries the server's seal, whose key is in no database: a line that somebody else wrote or changed is not believed.
-- AlterTable
ALTER TABLE "run_event" ADD COLUMN     "mac" TEXT NOT NULL DEFAULT '';
