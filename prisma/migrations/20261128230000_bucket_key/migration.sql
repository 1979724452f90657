-- The key of a bucket that somebody else runs, sealed: nodes that come later need it as well.
-- AlterTable
ALTER TABLE "cluster" ADD COLUMN     "bucket_key" TEXT;
