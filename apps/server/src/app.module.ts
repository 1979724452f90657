import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type DynamicModule, Global, Module } from '@nestjs/common';
import { APP_GUARD, APP_INTERCEPTOR } from '@nestjs/core';
import { OrderProcessors, QueueModule } from '@strata/queue';

import { AccountsController } from './accounts/accounts.controller';
import { KeepAccounts } from './accounts/keep-accounts';
import { BearerGuard } from './api/bearer.guard';
import { HealthController } from './api/health.controller';
import { IdempotencyInterceptor } from './api/idempotency.interceptor';
import { OpenApiController, OpenApiDocument } from './api/open-api.controller';
import { AppsController } from './apps/apps.controller';
import { ShowApps } from './apps/show-apps';
import { ArtifactListener } from './artifacts/artifact-listener';
import { ArtifactsController } from './artifacts/artifacts.controller';
import { Bundles } from './artifacts/bundles';
import { ObtainArtifacts } from './artifacts/obtain-artifacts';
import { AgentFiles } from './bootstrap/agent-file';
import { BundleFilesController } from './bundle-files/bundle-files.controller';
import { MakeBundleFiles } from './bundle-files/make-bundle-files';
import { TakeBundleFiles } from './bundle-files/take-bundle-files';
import { TrustBundleKeys } from './bundle-files/trust-bundle-keys';
import { Controls } from './bootstrap/controls';
import { InstallAgent } from './bootstrap/install-agent';
import { RemoveAgent } from './bootstrap/remove-agent';
import { ApplyCluster } from './clusters/apply-cluster';
import { ClusterEdges } from './clusters/cluster-edges';
import { ClusterReleases } from './clusters/cluster-releases';
import { ClustersController } from './clusters/clusters.controller';
import { DeleteCluster } from './clusters/delete-cluster';
import { ShowClusters } from './clusters/show-clusters';
import { ShowHealth } from './clusters/show-health';
import { DoctorController } from './doctor/doctor.controller';
import { ExamineNodes } from './doctor/examine-nodes';
import { KeepLastWords } from './doctor/last-words';
import { ShowChanges } from './doctor/show-changes';
import { EnrollNode } from './enrollment/enroll-node';
import { MachinesController } from './machines/machines.controller';
import { SeeMachines } from './machines/see-machines';
import { AddNode } from './nodes/add-node';
import { MakeJoinCommand } from './nodes/make-join-command';
import { NodesController } from './nodes/nodes.controller';
import { RemoveNode } from './nodes/remove-node';
import { ShowImages } from './nodes/show-images';
import { ShowNodes } from './nodes/show-nodes';
import { Befores } from './orders/befores';
import { CancelOrder } from './orders/cancel-order';
import { Dispatch } from './orders/dispatch';
import { OrderPlaces } from './orders/order-places';
import { Processors } from './orders/processors';
import { Relay } from './orders/relay';
import { ReleasedOrders } from './orders/released-orders';
import { OrderSecrets } from './orders/secrets';
import { ServerOrders } from './orders/server-orders';
import { SettleOrder } from './orders/settle';
import { FollowLogs } from './pods/follow-logs';
import { FollowPods } from './pods/follow-pods';
import { PodsController } from './pods/pods.controller';
import { ShowPodEvents } from './pods/show-pod-events';
import { ShowPods } from './pods/show-pods';
import { AdvanceRuns } from './runs/advance-runs';
import { ChangeRun } from './runs/change-run';
import { CheckNodes } from './runs/check-nodes';
import { ProbePairs } from './runs/probe-pairs';
import { EndRun } from './runs/end-run';
import { FollowRun } from './runs/follow-run';
import { ForgetLook } from './runs/forget-look';
import { FollowUp } from './runs/follow-up';
import { MissedNodes } from './runs/missed-nodes';
import { PrepareRun } from './runs/prepare-run';
import { RunBook } from './runs/run-book';
import { RunEnds } from './runs/run-ends';
import { RunsController } from './runs/runs.controller';
import { ShowRuns } from './runs/show-runs';
import { Situations } from './runs/situations';
import { StartRun } from './runs/start-run';
import { Edges } from './serve/edges';
import { AgentReports } from './sessions/agent-reports';
import { Asks } from './sessions/asks';
import { SessionHandler } from './sessions/session.handler';
import { ProvideVolumes } from './storage/provide-volumes';
import { ShowStorage } from './storage/show-storage';
import { StorageController } from './storage/storage.controller';
import { MarkStorage } from './storage/storage-marks';
import { GatherSupport } from './support/gather-support';
import { SupportController } from './support/support.controller';

/** Cases that several nouns share are global: one object of each for the whole server. */
const ledgerCases = [RunBook, Situations, OrderPlaces, ReleasedOrders, SettleOrder, OrderSecrets, StartRun];
const clusterCases = [ShowClusters, ShowHealth, ApplyCluster, DeleteCluster, ClusterEdges, ClusterReleases, ShowApps];
const podCases = [ShowPods, FollowPods, ShowPodEvents, FollowLogs];
const nodeCases = [ShowNodes, ShowImages, AddNode, RemoveNode, MakeJoinCommand, EnrollNode, InstallAgent, RemoveAgent, Controls, SeeMachines];
const artifactCases = [ObtainArtifacts, Bundles, ArtifactListener, TrustBundleKeys, TakeBundleFiles, MakeBundleFiles];
const orderCases = [Dispatch, ServerOrders, CancelOrder, Befores, AgentReports, Asks, SessionHandler];
const careCases = [KeepAccounts, ExamineNodes, KeepLastWords, ShowChanges, GatherSupport, MarkStorage, ProvideVolumes, ShowStorage];
const runCases = [CheckNodes, ProbePairs, PrepareRun, AdvanceRuns, RunEnds, EndRun, ForgetLook, FollowUp, MissedNodes, ChangeRun, ShowRuns, FollowRun];

@Global()
@Module({})
class CasesModule {
  static over(edges: Edges): DynamicModule {
    const agentFiles = { provide: AgentFiles, useValue: new AgentFiles(edges.settings.agentFile, join(edges.settings.home, 'cache')) };
    const cases = [...ledgerCases, ...clusterCases, ...podCases, ...nodeCases, ...artifactCases, ...orderCases, ...runCases, ...careCases];
    const processors = { provide: OrderProcessors, useClass: Processors };
    const providers = [{ provide: Edges, useValue: edges }, agentFiles, processors, ...cases];
    return { module: CasesModule, providers, exports: providers };
  }
}
@Module({ controllers: [ClustersController, PodsController, AppsController] })
class ClustersModule {}
@Module({ controllers: [NodesController, MachinesController] })
class NodesModule {}
@Module({ controllers: [RunsController] })
class RunsModule {}
@Module({ controllers: [ArtifactsController, BundleFilesController] })
class ArtifactsModule {}
@Module({ controllers: [DoctorController, SupportController, StorageController, AccountsController] })
class CareModule {}
/** What works with the queue. */
@Module({})
class QueueUsersModule {
  static over(edges: Edges, cases: DynamicModule): DynamicModule {
    const { redis, home } = edges.settings;
    const url = 'url' in redis ? redis.url : `unix://${encodeURI(redis.path)}`;
    const log = { warn: (message: string, error?: unknown): void => edges.log.warn({ err: error }, message) };
    const namespace = createHash('sha256').update(home).digest('hex').slice(0, 8);
    const queue = QueueModule.register({ url, namespace, generation: String(edges.epoch), log, imports: [cases] });
    return { module: QueueUsersModule, imports: [queue], providers: [Relay, OpenApiDocument], controllers: [HealthController, OpenApiController] };
  }
}

/** The whole server over its edges: one module a noun. */
@Module({})
export class AppModule {
  static over(edges: Edges): DynamicModule {
    const cases = CasesModule.over(edges); // one object: Nest tells modules apart by reference
    return {
      module: AppModule,
      imports: [cases, QueueUsersModule.over(edges, cases), ClustersModule, NodesModule, RunsModule, ArtifactsModule, CareModule],
      providers: [
        { provide: APP_GUARD, useClass: BearerGuard },
        { provide: APP_INTERCEPTOR, useClass: IdempotencyInterceptor },
      ],
    };
  }
}
