-- The password of metadata that somebody else runs, sealed: nodes that come later need it as well.
-- AlterTable
ALTER TABLE "cluster" ADD COLUMN     "metadata_password" TEXT;
